"""Stop strings in a text that comes in pieces."""

import itertools

from hypothesis import given
from hypothesis import strategies as some

from worker.engine.text.stop import StopMatcher


def shown(stops: list[str], pieces: list[str]) -> tuple[list[str], bool]:
    """What is shown after each piece, and at last what was held back; and whether a stop string was found."""
    matcher = StopMatcher(stops)
    parts = [matcher.feed(piece) for piece in itertools.takewhile(lambda _: not matcher.has_matched, pieces)]
    return [*parts, matcher.flush()], matcher.has_matched


def test_text_without_stop_strings_passes_at_once() -> None:
    """Who asks for no stop string waits for nothing."""
    assert shown([], ["a", "b\n"]) == (["a", "b\n", ""], False)


def test_what_may_begin_a_stop_string_is_held_back() -> None:
    """A stop string that comes in two pieces is never half shown."""
    assert shown(["</end>"], ["so</", "end>"]) == (["so", "", ""], True)


def test_what_was_held_back_for_nothing_comes_with_the_next_piece() -> None:
    """Holding back delays text; it loses none."""
    assert shown(["</end>"], ["so</", "em>"]) == (["so", "</em>", ""], False)


def test_what_is_held_back_at_the_end_is_shown() -> None:
    """A text may end in the beginning of a stop string."""
    assert shown(["###"], ["so #", "#"]) == (["so ", "", "##"], False)


def test_a_stop_string_may_overlap_its_own_beginning() -> None:
    """After a failed beginning the next one is found inside of it."""
    assert shown(["aab"], ["aa", "ab"]) == (["", "a", ""], True)


def test_the_stop_string_that_is_complete_first_counts() -> None:
    """Of two that overlap, the one that a reader would see first."""
    assert shown(["abcd", "bc"], ["abcd"]) == (["a", ""], True)


def test_of_two_that_end_together_the_longer_one_cuts() -> None:
    """Nothing of any stop string is shown."""
    assert shown(["c\n", "abc\n"], ["xabc\n"]) == (["x", ""], True)


@given(
    text=some.text("ab\n", max_size=30),
    stops=some.lists(some.text("ab\n", min_size=1, max_size=5), min_size=1, max_size=3),
    cuts=some.lists(some.integers(0, 30), max_size=8),
)
def test_pieces_do_not_matter(text: str, stops: list[str], cuts: list[int]) -> None:
    """However a text is cut into pieces, it is shown up to the same place: tokenizations differ, text does not."""
    edges = sorted({0, *(min(cut, len(text)) for cut in cuts), len(text)})
    pieces = [text[start:end] for start, end in itertools.pairwise(edges)]

    in_pieces, found_in_pieces = shown(stops, pieces)
    by_letters, found_by_letters = shown(stops, list(text))

    assert ("".join(in_pieces), found_in_pieces) == ("".join(by_letters), found_by_letters)
    assert found_in_pieces == any(stop in text for stop in stops)


def test_the_string_that_was_found_is_told() -> None:
    """Of several, a client wants to know which; before one is found, it is none."""
    matcher = StopMatcher(["###", "END", "ENDING"])

    assert [matcher.feed("so E"), matcher.matched] == ["so ", None]
    assert [matcher.feed("NDING"), matcher.matched] == ["", "END"]
