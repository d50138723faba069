"""How mlx-pool was installed, and which extras it has."""

from pathlib import Path

import msgspec
import pytest

from mlx_pool.failure import Unusable
from mlx_pool.upgrade.extras import extras_in_use
from mlx_pool.upgrade.installation import Facts, check, kind_of

FACTS = Facts(prefix=Path("/opt/env"), is_environment=True, origin="", has_pip=True, uv="/usr/bin/uv", is_writable=True)
METADATA = {
    "mlx-pool": [
        "redis<9,>=8.1",
        "starlette<2,>=1.10; extra == 'gateway'",
        "mlx-lm<0.33,>=0.32; extra == 'worker'",
        "mlx<0.33,>=0.32; (sys_platform == 'darwin') and extra == 'worker'",
        "mlx[cpu]<0.33,>=0.32; (sys_platform == 'linux') and extra == 'worker'",
        "mlx-lm<0.33,>=0.32; extra == 'cuda'",
        "mlx[cuda13]<0.33,>=0.32; (sys_platform == 'linux') and extra == 'cuda'",
    ],
    "redis": [],
    "mlx-lm": [],
    "mlx": ["mlx-metal==0.32; sys_platform == 'darwin'", "mlx-cpu; extra == 'cpu'", "mlx-cuda-13; extra == 'cuda13'"],
}


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"origin": '{"url":"file:///home/ada/pool","dir_info":{"editable":true}}'}, "a checkout here, /home/ada/pool"),
        ({"is_environment": False}, "uv tool install"),
        ({"is_writable": False}, "/opt can't be written"),
        ({"has_pip": False, "uv": None}, "install uv"),
    ],
)
def test_what_can_not_be_replaced_is_refused(changed: dict[str, object], told: str) -> None:
    """Before anything is touched, and with what to do instead."""
    facts = msgspec.structs.replace(FACTS, **changed)

    with pytest.raises(Unusable, match=told):
        check(facts)


@pytest.mark.parametrize("origin", ["", '{"url":"file:///tmp/mlx_pool.whl","archive_info":{}}', "broken"])
def test_an_environment_of_its_own_can_be_replaced(origin: str) -> None:
    """Whether it came from an index, from a wheel, or nobody knows from where."""
    check(msgspec.structs.replace(FACTS, origin=origin))


@pytest.mark.parametrize(
    ("left", "kind"), [("uv-receipt.toml", "uv tool"), ("pipx_metadata.json", "pipx"), ("pyvenv.cfg", "environment")]
)
def test_who_made_an_environment_has_left_a_note(tmp_path: Path, left: str, kind: str) -> None:
    """Both uv and pipx leave a file of their own."""
    (tmp_path / left).touch()

    assert kind_of(tmp_path) == kind


@pytest.mark.parametrize(
    ("added", "platform", "extras"),
    [
        ((), "darwin", ("cuda", "worker")),  # which add the same there
        ((), "linux", ()),
        (("mlx-cpu",), "linux", ("worker",)),
        (("mlx-cuda-13",), "linux", ("cuda",)),
        (("mlx-cpu", "starlette"), "linux", ("gateway", "worker")),
    ],
)
def test_an_extra_is_in_use_when_all_that_it_adds_is_there(
    added: tuple[str, ...], platform: str, extras: tuple[str, ...]
) -> None:
    """On this platform, and down to the extras of what it asks for: a CPU's MLX is not a card's."""
    there = METADATA | {name: [] for name in added}

    assert extras_in_use("mlx-pool", there.get, platform) == extras
