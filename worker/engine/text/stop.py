"""Stop strings, looked for in the text: as tokens one and the same text comes in many ways."""

from collections.abc import Sequence


class StopMatcher:
    """Lets text through up to the first stop string; holds back what may still become the beginning of one.

    The match that is complete first counts, and of those that end together the longest: whatever pieces the text comes
    in, it is cut at the same place.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = stops
        self._held = ""
        self.has_matched = False

    def feed(self, text: str) -> str:
        """Take more text; return what can be shown."""
        if not self._stops or not text:
            return text
        text = self._held + text
        if (cut := self._first_match(text)) is not None:
            self.has_matched, self._held = True, ""
            return text[:cut]
        shown = len(text) - self._length_held(text)
        self._held = text[shown:]
        return text[:shown]

    def flush(self) -> str:
        """Return what was held back: nothing comes any more that could complete it."""
        held, self._held = self._held, ""
        return held

    def _first_match(self, text: str) -> int | None:
        """Where the match begins that is complete first."""
        found = [(at + len(stop), at) for stop in self._stops if (at := text.find(stop)) >= 0]
        return min(found)[1] if found else None

    def _length_held(self, text: str) -> int:
        """The length of the longest end of the text that begins a stop string."""
        return max(_overlap(text, stop) for stop in self._stops)


def _overlap(text: str, stop: str) -> int:
    at = text.find(stop[0], max(0, len(text) - len(stop) + 1))
    while at >= 0 and not stop.startswith(text[at:]):
        at = text.find(stop[0], at + 1)
    return len(text) - at if at >= 0 else 0
