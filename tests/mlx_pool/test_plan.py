from pathlib import Path

import pytest

from mlx_pool.failure import Unusable
from mlx_pool.up.part import Part, stop_order
from mlx_pool.up.plan import (
    Flags,
    bare_join_line,
    broker_hosts,
    check_flags,
    chosen_model,
    curl_line,
    gateway_part,
    join_line,
    models_told,
    queue_name,
    worker_parts,
)

URL = "redis://:pass@127.0.0.1:7000/0"


def words(part: Part) -> str:
    return " ".join(part.argv)


def test_the_model_is_the_one_asked_for_then_the_environments_then_the_default() -> None:
    """The flag wins over MLX_MODEL_PATH, which wins over the default."""
    env = {"MLX_MODEL_PATH": "./models/deepseek-moe"}

    assert chosen_model(Flags(model="qwen"), env) == "qwen"
    assert chosen_model(Flags(), env) == "./models/deepseek-moe"
    assert chosen_model(Flags(), {}) == "smollm2-135m"


def test_the_scripted_engine_serves_a_queue_of_its_own() -> None:
    """Made-up tokens never land in the queue of a real model, whatever the environment says."""
    assert chosen_model(Flags(engine="scripted"), {"MLX_MODEL_PATH": "./models/x"}) == "scripted"


def test_a_folder_is_asked_for_by_its_own_name(tmp_path: Path) -> None:
    """A queue's name is the catalogue name, the id, or the folder's last name, however the folder was written."""
    (tmp_path / "tiny").mkdir()

    assert queue_name("./models/tiny/") == "tiny"
    assert queue_name(str(tmp_path / "tiny")) == "tiny"
    assert queue_name("mlx-community/Qwen3-4B-4bit") == "mlx-community/Qwen3-4B-4bit"


def test_the_password_stands_on_no_command_line() -> None:
    """Every user of a machine can read command lines; secrets travel in the environment and in files."""
    parts = [gateway_part(Flags(), URL, "m", None, {}), *worker_parts(Flags(workers=2), URL, "m", {})]

    assert all("pass" not in words(part) for part in parts)
    assert all(part.env["MLX_POOL_REDIS_URL"] == URL for part in parts)


def test_the_gateway_is_told_where_keys_lie() -> None:
    """The key of this machine's own commands, and the keys that were given out: files, both."""
    part = gateway_part(Flags(), URL, "m", Path("/d/api-key"), {}, keys_file=Path("/d/api-keys.json"))

    assert words(part).endswith("--api-key-file /d/api-key --api-keys-file /d/api-keys.json")


def test_the_gateway_is_told_of_other_names() -> None:
    """Clients that can't be told which model to name are served as well."""
    part = gateway_part(Flags(model_alias="gpt-4o=m,*=m"), URL, "m", None, {})

    assert words(part).endswith("--model-alias gpt-4o=m,*=m")


def test_workers_are_told_apart_by_number() -> None:
    """With several workers each line on the screen says which one speaks."""
    assert [part.name for part in worker_parts(Flags(workers=2), URL, "m", {})] == ["worker 1", "worker 2"]
    assert [part.name for part in worker_parts(Flags(), URL, "m", {})] == ["worker"]


def test_on_loopback_the_queue_is_for_this_machine_alone() -> None:
    """Without `--host` nobody outside reaches the broker."""
    assert broker_hosts("127.0.0.1") == broker_hosts("localhost") == ("127.0.0.1",)
    assert broker_hosts("192.0.2.7") == ("127.0.0.1", "192.0.2.7")


def test_what_engines_may_have_is_told_to_each_worker() -> None:
    """Two workers on one machine share its memory only if they are told."""
    parts = worker_parts(Flags(workers=2, memory_limit_gb=7.5), URL, "m", {})

    assert all("--memory-limit-gb 7.5" in words(part) for part in parts)
    assert "--memory-limit-gb" not in words(worker_parts(Flags(), URL, "m", {})[0])


def test_a_pool_that_is_open_gives_its_models_to_who_joins() -> None:
    """By one worker for all; one on loopback listens nowhere, nor does one whose queue is not its own."""
    first, second = worker_parts(Flags(workers=2, host="0.0.0.0"), URL, "m", {})
    elsewhere = Flags(host="0.0.0.0", redis="redis://vm")

    assert "--share-models 0.0.0.0" in words(first)
    assert "--share-models" not in words(second)
    assert "--share-models" not in words(worker_parts(Flags(), URL, "m", {})[0])
    assert "--share-models" not in words(worker_parts(elsewhere, URL, "m", {})[0])


def test_workers_of_one_machine_are_told_that_they_share_it() -> None:
    """Each would else believe that all memory is its own."""
    shared, alone = (worker_parts(Flags(workers=count), URL, "m", {})[0] for count in (3, 1))

    assert "--workers-here 3" in words(shared)
    assert "--workers-here" not in words(alone)


def test_models_on_demand_are_loaded_beside_the_one_asked_for_or_alone() -> None:
    """Without `--model` none is loaded before it is asked for, and none is a request's default."""
    both = Flags(model="m", on_demand="a,b=12", models_memory_gb=40, keep_loaded_s=600)
    alone = Flags(on_demand="a,b=12")

    worker, gateway = worker_parts(both, URL, "m", {})[0], gateway_part(alone, URL, "m", None, {})

    assert words(worker).endswith("--model m --on-demand a,b=12 --models-memory-gb 40 --keep-loaded-s 600")
    assert "--model m" not in words(worker_parts(alone, URL, "m", {})[0])
    assert "--default-model" not in words(gateway)
    assert (models_told(both, "m"), models_told(alone, "m")) == ("m, a, b", "a, b")
    assert '"model":"a"' in curl_line(alone, None)
    assert join_line(alone, URL, "m").endswith(":7000/0 --on-demand a,b=12")


def test_off_loopback_the_lines_to_copy_carry_address_and_secrets() -> None:
    """The joining line works as it stands; the API key is read from its file, not shown."""
    flags = Flags(host="192.0.2.7")

    assert join_line(flags, URL, "m") == "mlx-pool join redis://:pass@192.0.2.7:7000/0 --model m"
    bare = "curl -fsSL http://192.0.2.7:8081/join | sh -s -- redis://192.0.2.7:7000/0 --model m"
    assert bare_join_line(flags, URL, "m") == bare
    assert curl_line(flags, Path("/d/api-key")).startswith(
        'curl -N http://192.0.2.7:8081/chat -H "Authorization: Bearer $(cat /d/api-key)" '
    )


def test_lines_to_copy_bear_blanks() -> None:
    """A Mac keeps its data under `Application Support`, and a folder's name is a person's own."""
    flags = Flags(host="192.0.2.7", on_demand="a, b=12")

    assert "$(cat '/Library/Application Support/mlx-pool/secrets/api-key')" in curl_line(
        Flags(), Path("/Library/Application Support/mlx-pool/secrets/api-key")
    )
    assert join_line(flags, URL, "m").endswith(":7000/0 --on-demand 'a, b=12'")
    assert join_line(Flags(model="./my model"), URL, "./my model").endswith(":7000/0 --model 'my model'")


@pytest.mark.parametrize(
    "flags", [Flags(workers=-1), Flags(port=0), Flags(port=70_000), Flags(slots=0), Flags(memory_limit_gb=0)]
)
def test_a_number_that_cannot_be_meant_is_refused(flags: Flags) -> None:
    """A number out of range is told with the range."""
    with pytest.raises(Unusable, match="expected"):
        check_flags(flags)


def test_workers_stop_first_and_the_queue_after_the_gateway() -> None:
    """A worker gives its jobs back while the queue still stands, whatever the order of starting was."""
    assert stop_order(["guardian", "broker", "worker", "gateway", "worker"]) == [
        "worker",
        "gateway",
        "broker",
        "guardian",
    ]
