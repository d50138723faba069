"""The book of runs: what it holds, and when it wakes who waits for it."""

import asyncio

from shared.claims import Claimed
from worker.book import Book
from worker.run import Run


def run(name: str, *, entry: str = "std:1-1", job_class: str = "", prompt_tokens: int = 10) -> Run:
    claimed = Claimed(name, 1, entry, b"{}", 0, 9_000, 1_000, "", "", "", 1_500, job_class=job_class)
    return Run(claimed, f"{name}/1/1", prompt_tokens_estimate=prompt_tokens)


def test_the_load_is_what_the_book_holds() -> None:
    """Prompt tokens still to be computed count, suspects are seen, and both leave with their run."""
    book, plain, suspect = Book(), run("a"), run("b", entry="sus:1-1")
    book.open(plain)
    book.open(suspect)
    both = book.load(slots=4, prefill_tokens_per_second=1.0)
    book.close(suspect)
    plain.prefill_left = 4

    one = book.load(slots=4, prefill_tokens_per_second=1.0)

    assert (both.held, both.prefill_tokens, both.holds_suspect) == (2, 20, True)
    assert (one.held, one.prefill_tokens, one.holds_suspect) == (1, 4, False)


def test_bulk_work_is_counted_apart_however_it_came_back() -> None:
    """Its prompts step aside: who reads one takes a chat at once, also where it runs a second time."""
    book = Book()
    book.open(run("new", entry="lo:1-1", job_class="lo"))
    book.open(run("again", entry="re:1-1", job_class="lo"))

    load = book.load(slots=4, prefill_tokens_per_second=1.0)

    assert (load.prefill_tokens, load.aside_prefill_tokens) == (0, 20)


def test_a_run_that_was_closed_is_not_found() -> None:
    """Lines of a fenced run are dropped by this; closing twice says so."""
    book, one = Book(), run("a")
    book.open(one)

    assert book.find("a/1/1") is one
    assert book.entries() == ["std:1-1"]
    assert book.close(one)
    assert not book.close(one)
    assert book.find("a/1/1") is None


def test_the_book_may_change_while_one_looks() -> None:
    """Runs are closed in the middle of a flush: the loop sees those that were there."""
    book = Book()
    for name in ("a", "b", "c"):
        book.open(run(name))

    seen = [each.id for each in book if book.close(each)]

    assert seen == ["a", "b", "c"]
    assert len(book) == 0


async def test_a_condition_wakes_when_it_becomes_true() -> None:
    """Who waits for room sleeps until a run ends, and no longer; several may wait for different things."""
    book, one = Book(), run("a")
    book.open(one)
    is_hurried = False
    empty = asyncio.create_task(book.until(lambda: len(book) == 0))
    hurried = asyncio.create_task(book.until(lambda: is_hurried))
    await asyncio.sleep(0)

    book.close(one)
    await empty
    assert not hurried.done()
    is_hurried = True
    book.touch()

    await hurried


async def test_news_wake_the_flusher_at_once_and_silence_after_a_while() -> None:
    """A token is not kept waiting; without any, every run is named a few times a second all the same."""
    book = Book()
    book.tell()

    async with asyncio.timeout(1):
        await book.news(within_s=60)
        await book.news(within_s=0.01)
