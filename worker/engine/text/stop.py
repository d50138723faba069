"""Stop strings, looked for in the text: as tokens one and the same text comes in many ways."""

from collections.abc import Sequence

from .search import first_match, length_held


class StopMatcher:
    """Lets text through up to the first stop string; holds back what may still become the beginning of one."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = stops
        self._held = ""
        self.matched: str | None = None  # the one that was found

    @property
    def has_matched(self) -> bool:
        """Whether one was found."""
        return self.matched is not None

    def feed(self, text: str) -> str:
        """Take more text; return what can be shown."""
        if not self._stops or not text:
            return text
        text = self._held + text
        if match := first_match(text, self._stops):
            self.matched, self._held = text[match.begin : match.end], ""
            return text[: match.begin]
        shown = len(text) - length_held(text, self._stops)
        self._held = text[shown:]
        return text[:shown]

    def flush(self) -> str:
        """Return what was held back: nothing comes any more that could complete it."""
        held, self._held = self._held, ""
        return held
