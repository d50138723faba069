"""What takes its turn, in which order, and what should be said of it before."""

import msgspec

from mlx_pool.upgrade.order import Order, hints, plan_lines
from mlx_pool.upgrade.processes import Process, read_listing, tree, workers
from mlx_pool.upgrade.turns import Kept, asked_queues, in_words, lonely, merged, ours, strays, turns_of

from .cases import INSTALLED, LISTED, PREFIX, SERVICE, UP, process, survey, view

GATEWAY = Kept(kind="service", name="a-gateway", part="gateway", pid=50)
PS = """\
    1     0 Ss   /sbin/init splash
   10     1 S    /opt/tools/mlx-pool/bin/python -P -m worker --model qwen3-4b
   12     1 Z    [python] <defunct>
   13     1 S+
"""


def test_a_listing_is_read_without_what_has_ended() -> None:
    """A zombie is no process any more; what has no command line is none of ours."""
    assert [each.pid for each in read_listing(PS)] == [1, 10]
    assert next(each for each in read_listing(PS) if each.pid == 10).value("--model") == "qwen3-4b"


def test_a_worker_is_told_from_its_engine_and_from_an_up() -> None:
    """By the module that Python was told to run."""
    assert [each.pid for each in workers(LISTED)] == [10, 22, 23, 30]
    assert [each.pid for each in tree(LISTED, 20)] == [20, 21, 22, 23]


def test_a_process_is_of_an_environment_by_its_interpreter_or_its_command() -> None:
    """A word among its flags does not make it one."""
    command = Process(1, 0, ("/usr/bin/python3", f"{PREFIX}/bin/mlx-pool", "up"))
    editor = Process(2, 0, ("vi", "a", f"{PREFIX}/bin/mlx-pool"))

    assert (process(3, 0, "worker").is_of(PREFIX), command.is_of(PREFIX), editor.is_of(PREFIX)) == (True, True, False)


def test_workers_take_their_turn_before_an_up_and_gateways_come_last() -> None:
    """A service is one turn; of an `up` each worker is one, so that the others serve meanwhile."""
    listed = [*LISTED, process(50, 1, "gateway", "--host", "0.0.0.0", "--port", "9000")]

    turns = list(turns_of([GATEWAY, UP, SERVICE], listed, []))

    assert [(in_words(turn), [ran.pid for ran in turn.ran]) for turn in turns] == [
        ("service worker", [10]),
        ("up, worker 1", [22]),
        ("up, worker 2", [23]),
        ("service a-gateway", []),
    ]
    assert turns[-1].door == ("0.0.0.0", 9000)
    assert (turns[0].stop_limit_s, turns[1].stop_limit_s) == (90, 60)


def test_a_service_that_does_not_run_has_no_turn() -> None:
    """Who stopped it had a reason."""
    assert list(turns_of([msgspec.structs.replace(SERVICE, pid=0)], LISTED, [])) == []


def test_a_worker_is_found_in_its_queues_by_its_process() -> None:
    """Under whatever name it has; where another machine has the same number, by this machine's names."""
    here, there = view("mac-1.10.aa"), view("mac-2.10.bb")

    assert ours([view("my-mac.10.aa")], 10, ["mac-1"]) != []
    assert ours([here, there], 10, ["mac-1"]) == [here]
    assert ours([here], 11, ["mac-1"]) == []


def test_what_a_worker_served_is_noted() -> None:
    """Afterwards it has to serve as much."""
    surveys = [survey(name, view("mac-1.10.aa")) for name in ("qwen3-4b", "llama-3.2-3b")]

    (turn,) = turns_of([SERVICE], LISTED, [*surveys, survey("other", view("mac-2.9.cc"))])

    assert turn.queues == {"qwen3-4b", "llama-3.2-3b"}


def test_a_queue_that_nobody_else_serves_is_named() -> None:
    """It waits while its only worker is away; a worker that is ill does not count."""
    alone = survey("qwen3-4b", view("mac-1.10.aa"), view("mac-2.7.bb", state="sick"), waiting=3)
    shared = survey("llama-3.2-3b", view("mac-1.10.aa"), view("mac-2.7.bb"))
    (turn,) = turns_of([SERVICE], LISTED, [alone, shared])

    assert lonely(turn, [alone, shared]) == [alone]
    (hint,) = hints([turn], [alone, shared], [])
    assert "nobody else serves qwen3-4b" in hint
    assert "the 3 that wait" in hint


def test_a_worker_that_nobody_would_start_again_is_named_and_left_alone() -> None:
    """It was started by hand."""
    alone = strays([SERVICE, UP], LISTED, PREFIX)

    assert [each.pid for each in alone] == [30]
    assert "process 30" in next(hints([], [], alone))


def test_a_worker_that_no_queue_sees_is_named() -> None:
    """Nobody can tell later whether it serves as it did."""
    (turn,) = turns_of([SERVICE], LISTED, [])

    assert "is seen in no queue now" in next(hints([turn], [], []))


def test_the_queues_that_command_lines_name_are_known() -> None:
    """For a user of Redis who may not list them all."""
    listed = [process(1, 0, "worker", "--on-demand", "a,b=12", "--model=~/models/c"), process(2, 0, "gateway")]

    assert asked_queues(listed) == {"a", "b", "c"}


def test_on_the_way_back_the_workers_of_an_up_have_one_turn() -> None:
    """Those of services keep theirs."""
    turns = merged(list(turns_of([SERVICE, UP], LISTED, [])))

    assert [(in_words(turn), [ran.pid for ran in turn.ran]) for turn in turns] == [
        ("service worker", [10]),
        ("up", [22, 23]),
    ]


def test_a_plan_tells_what_is_installed_and_each_turn() -> None:
    """In the order in which it happens."""
    turns = tuple(turns_of([SERVICE], LISTED, [survey("qwen3-4b", view("mac-1.10.aa"))]))
    order = Order(
        installed=INSTALLED, wanted="mlx-pool[worker]==2.0", turns=turns, machine="mac-1", wait_s=300, settle_s=10
    )

    first, second = plan_lines(order)

    assert first == f"mlx-pool[worker] 1.0 in {PREFIX} (uv tool): uv installs mlx-pool[worker]==2.0"
    assert second.startswith("1. service worker, which serves qwen3-4b: drained")
