"""What is told of the states: that a label is served from its first state to its last, and nothing in between."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from worker.engine.cache.cache import PromptCache
from worker.engine.cache.labels import MOST_AT_ONCE, MOST_OF_A_STATE, Changes, Labels
from worker.engine.cache.prefixes import key_of

NOTHING = Changes([], [])
SYSTEM = tuple(range(100, 150))
QUESTION = (*SYSTEM, *range(200, 250))


@dataclass(frozen=True)
class Kept:
    """A state of so many bytes."""

    kv_bytes: int = 10
    can_trim: bool = True


class Peer:
    """Who hears of the changes, and knows nothing else."""

    def __init__(self, labels: Labels) -> None:
        self.served: set[str] = set()
        self._labels = labels

    def hear(self) -> Changes:
        """Take in what has changed, which is news, all of it."""
        changes = self._labels.changes()
        assert self.served.isdisjoint(changes.stored)
        assert self.served.issuperset(changes.evicted)
        self.served = (self.served | set(changes.stored)) - set(changes.evicted)
        return changes


LABELS = st.lists(st.sampled_from("abcdef"), max_size=4)
STEPS = st.lists(st.tuples(st.sampled_from("xyz"), st.none() | LABELS, st.booleans()), max_size=40)


@given(STEPS)
def test_a_peer_that_hears_of_changes_knows_what_is_borne(steps: list[tuple[str, list[str] | None, bool]]) -> None:
    """Whatever is put and dropped, and however seldom it listens: what it believes is the sum of all states' labels."""
    labels = Labels()
    peer = Peer(labels)
    model: dict[str, set[str]] = {}

    for place, given_labels, is_heard in steps:
        if given_labels is None:
            assert set(labels.drop(place)) == model.pop(place, set())
        else:
            labels.put(place, given_labels)
            model[place] = model.get(place, set()) | set(given_labels)
        if is_heard:
            peer.hear()
            assert peer.served == {label for borne in model.values() for label in borne}
    peer.hear()

    assert peer.served == {label for borne in model.values() for label in borne}
    assert peer.hear() == NOTHING


def test_what_comes_and_goes_between_two_tellings_is_never_told() -> None:
    """A peer hears the outcome of a step, not its course."""
    labels = Labels()
    labels.put("old", ["kept"])
    labels.changes()

    labels.put("brief", ["brief"])
    labels.drop("brief")
    labels.put("new", labels.drop("old"))

    assert labels.changes() == NOTHING
    assert "kept" in labels
    assert "brief" not in labels


def test_a_state_that_bears_many_lets_the_oldest_fall() -> None:
    """A chat of a thousand turns takes no more memory than one of twenty."""
    labels = Labels()
    labels.put("chat", ["first"])

    labels.put("chat", [str(number) for number in range(MOST_OF_A_STATE)])

    assert labels.of("chat") == [str(number) for number in range(MOST_OF_A_STATE)]
    assert "first" not in labels


def test_a_great_change_is_told_in_pieces() -> None:
    """No line is too long for the pipe, and nothing is lost."""
    labels = Labels()
    peer = Peer(labels)
    for number in range(2 * MOST_AT_ONCE + 1):
        labels.put(number, [str(number)])

    sizes = [len(peer.hear().stored) for _ in range(4)]

    assert sizes == [MOST_AT_ONCE, MOST_AT_ONCE, 1, 0]


def test_a_longer_state_in_a_shorter_ones_place_is_no_news_of_what_that_served() -> None:
    """The next turn of a chat: the turn before is served as it was, by another state."""
    cache: PromptCache[Kept] = PromptCache(1_000)
    cache.store("", SYSTEM, Kept(), ["system"])
    cache.labels.changes()

    cache.store("", QUESTION, Kept(), ["question"])

    assert cache.labels.changes() == Changes(["question"], [])
    assert {"system", "question"} == set(cache.labels.of(("", key_of(QUESTION))))


def test_what_two_states_serve_is_evicted_with_the_second() -> None:
    """Two questions under one system message: while one of them is kept, so is the message."""
    cache: PromptCache[Kept] = PromptCache(1_000)
    cache.store("", QUESTION, Kept(), ["question", "system"])
    cache.store("", (*SYSTEM, 1), Kept(), ["other", "system"])
    cache.labels.changes()

    cache.bound(10)
    first = cache.labels.changes()
    cache.bound(0)

    assert first == Changes([], ["question"])
    assert set(cache.labels.changes().evicted) == {"other", "system"}


def test_what_is_too_large_to_be_kept_leaves_the_labels_alone() -> None:
    """It serves nobody, and takes nobody's place."""
    cache: PromptCache[Kept] = PromptCache(100)
    cache.store("", SYSTEM, Kept(), ["system"])
    cache.labels.changes()

    cache.store("", QUESTION, Kept(kv_bytes=101), ["question"])

    assert cache.labels.changes() == NOTHING


def test_a_label_goes_to_the_state_that_serves_it() -> None:
    """What needs no state of its own is served by another, and evicted with that one."""
    cache: PromptCache[Kept] = PromptCache(1_000)
    cache.label("", QUESTION, ["nobody's"])
    cache.store("", QUESTION, Kept())
    cache.label("", (*QUESTION, 1), ["question"])
    cache.label("another tenant", QUESTION, ["not his"])

    assert cache.labels.changes() == Changes(["question"], [])
    cache.bound(0)
    assert cache.labels.changes() == Changes([], ["question"])


IDS = st.lists(st.sampled_from([1, 2]), min_size=1, max_size=4).map(tuple)
Doing = tuple[str, tuple[int, ...], bool]
DOINGS = st.lists(st.tuples(st.sampled_from(["store", "find", "bound"]), IDS, st.booleans()), max_size=40)


@given(DOINGS)
def test_nothing_is_told_that_no_state_serves(doings: list[Doing]) -> None:
    """Whatever replaces what: who trusts a label finds a state that has read all that was stored under it."""
    cache: PromptCache[Kept] = PromptCache(40)
    peer = Peer(cache.labels)
    stored: set[tuple[int, ...]] = set()

    for verb, ids, can_trim in doings:
        _do(cache, verb, ids, can_trim)
        stored |= {ids} if verb == "store" else set()
        peer.hear()

        assert peer.served <= {str(each) for each in stored if cache.known("", each) == len(each)}


@given(DOINGS)
def test_all_is_told_that_states_of_fixed_length_serve(doings: list[Doing]) -> None:
    """Where no state stands for another a label is served exactly as long as its own state is kept."""
    cache: PromptCache[Kept] = PromptCache(40)
    peer = Peer(cache.labels)
    stored: set[tuple[int, ...]] = set()

    for verb, ids, _ in doings:
        _do(cache, verb, ids, False)
        stored |= {ids} if verb == "store" else set()
        peer.hear()

        assert peer.served == {str(each) for each in stored if cache.known("", each) == len(each)}


def _do(cache: PromptCache[Kept], verb: str, ids: tuple[int, ...], can_trim: bool) -> None:
    if verb == "store":
        cache.store("", ids, Kept(can_trim=can_trim), [str(ids)])
    elif verb == "find":
        cache.find("", ids)
    else:
        cache.bound(10 * len(ids))
