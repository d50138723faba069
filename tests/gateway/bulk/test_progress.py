"""What is committed agrees with what is there, in whatever order lines end, and wherever it is cut off."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.bulk.line import Line
from gateway.bulk.progress import Progress
from gateway.bulk.result import Result
from gateway.bulk.turn import in_turn
from shared.bulk import Batch, Commit

SIZE = 10  # bytes a line


def batch(commit: Commit | None = None) -> Batch:
    """A batch's record, before or behind a commit."""
    fixed = {"tag": "t", "tenant": "", "caller": "", "endpoint": "", "input": "", "window": "", "total": 0}
    progress = {**commit.fields, "commits": commit.number} if commit else {}
    return Batch(**fixed, status="in_progress", created=0, expires=0, **progress)  # pyright: ignore[reportArgumentType] as it is read


def read(progress: Progress, lines: int) -> list[int]:
    """Read on from where it stands; the lines whose results are missing."""
    rest = range(progress.line, lines)
    return [number for number in rest if progress.begin(Line(number, (number + 1) * SIZE, b""))]


@given(st.permutations(range(12)), st.integers(0, 12))
def test_every_line_has_one_result_wherever_it_is_cut_off(order: list[int], cut: int) -> None:
    """What was finished before the cut is not asked for again; what was not, is."""
    first = Progress(batch())
    read(first, 12)
    for number in order[:cut]:
        first.finish(number, Result(b"%d\n" % number, is_error=bool(number % 2)))
    commit = first.commit()

    second = Progress(batch(commit if cut else None))

    assert (second.line, second.offset) == (min(order[cut:], default=12), min(order[cut:], default=12) * SIZE)
    assert read(second, 12) == sorted(order[cut:])
    assert sorted(map(int, (commit.output + commit.errors).split())) == sorted(order[:cut])
    assert second.results == cut


def test_a_commit_is_the_same_until_it_is_there() -> None:
    """Its reply may be lost: sent again it must change nothing; what came meanwhile is the next one's."""
    progress = Progress(batch())
    read(progress, 3)
    progress.finish(0, Result(b"a", is_error=False))
    first = progress.commit()
    progress.finish(1, Result(b"b", is_error=False))

    assert progress.commit() is first
    progress.committed()
    second = progress.commit()

    assert (first.number, first.output, second.number, second.output) == (1, b"a", 2, b"b")
    progress.committed()
    assert progress.commit() == Commit(number=2)


def test_an_ending_is_a_commit_of_its_own() -> None:
    """Also without news."""
    progress = Progress(batch())

    commit = progress.commit("completed")

    assert (commit.number, commit.ending) == (1, "completed")


def test_nobodys_many_batches_keep_anothers_waiting() -> None:
    """The oldest of each tenant first, then the second of each."""
    unfinished = [(number, "many", f"m{number}") for number in range(10)] + [(99, "one", "o")]

    assert in_turn(unfinished, 4) == ["m0", "o", "m1", "m2"]
    assert in_turn([], 4) == []
