import json

from msgspec import structs

from mlx_pool.status import as_json_text, as_lines, named
from shared.survey import Survey, WorkerView

WORKER = WorkerView(id="mac.1.ab", model="tiny", state="ready", slots=16, busy=3, lease_ends_in_ms=900, note="Metal")


def survey(*workers: WorkerView) -> Survey:
    return Survey(
        model="tiny",
        now_ms=0,
        waiting={"std": 2, "lo": 1},
        running=3,
        oldest_wait_ms=1_500,
        workers=list(workers),
        dead_letters=0,
    )


def test_an_address_names_the_user_that_every_client_wants_named() -> None:
    """redis-cli takes `redis://:PASSWORD@…` for a user without a name, whom no Redis knows."""
    assert named("redis://:a:b@host:1/0") == "redis://default:a:b@host:1/0"
    for url in ("redis://host:1/0", "rediss://worker:x@host:1/0?ssl_pin=a"):
        assert named(url) == url


def test_queues_and_workers_are_told_in_columns() -> None:
    """A person sees at a glance what waits, what runs, and who works."""
    lines = as_lines([survey(WORKER)]).splitlines()

    assert lines[1].split() == ["tiny", "3", "3", "16", "13", "1.5", "s", "0.0", "s"]
    assert lines[4].split() == ["mac.1.ab", "tiny", "ready", "3/16", "0", "-", "Metal"]


def test_how_long_new_jobs_wait_is_told_by_class_where_it_differs() -> None:
    """Unknown is a question mark, and while the model is loaded that is what is waited for."""
    full = structs.replace(WORKER, busy=16, job_seconds=16.0)
    loading = structs.replace(WORKER, state="loading", progress=0.256)

    assert as_lines([survey(full)]).splitlines()[1].endswith("hi 1.0 s, std 4.0 s, lo 4.0 s")
    assert as_lines([survey()]).splitlines()[1].endswith("?")
    assert as_lines([survey(loading)]).splitlines()[1].endswith("the model is loading (26%)")
    assert "loading 26%" in as_lines([survey(loading)]).splitlines()[4]


def test_programs_are_told_what_follows_from_the_figures() -> None:
    """They need not know how a wait is reckoned."""
    [queue] = json.loads(as_json_text([survey(WORKER)]))["queues"]

    assert queue["expected_wait_ms_by_class"] == {"hi": 0, "std": 0, "lo": 0}
    assert (queue["model"], queue["loading"], queue["workers"][0]["id"]) == ("tiny", None, WORKER.id)


def test_memory_that_is_short_is_told_with_its_limit() -> None:
    """Else only what is held is told: the limit is all that there is."""
    held = structs.replace(WORKER, memory_bytes=900 << 20, memory_limit_bytes=1_000 << 20)

    assert "900 MB  " in as_lines([survey(held)])
    assert "900 MB of 1000, soft" in as_lines([survey(structs.replace(held, pressure="soft"))])


def test_a_queue_without_workers_says_so() -> None:
    """An empty table would look like a pool that is fine."""
    assert "no worker is alive" in as_lines([survey()])
    assert as_lines([]) == "no worker has served a model here yet\n"


def test_nothing_of_a_workers_words_steers_the_terminal() -> None:
    """A note is whatever a machine told; an escape sequence in it is shown as what it is."""
    assert "\x1b" not in as_lines([survey(structs.replace(WORKER, note="\x1b[2J", id="\x1b]0;a\x07"))])
