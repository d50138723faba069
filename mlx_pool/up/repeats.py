"""What a part says again and again: the screen has it once a minute, the part's file each time."""

import time
from collections.abc import Callable
from typing import Final

from .notice import Notice

_AGAIN_S: Final = 60.0


class Repeats:
    """Remembers one part's words for a minute."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._shown: dict[str, float] = {}

    def is_news(self, notice: Notice) -> bool:
        """Tell whether to show it; a progress always is, as its words stay the same."""
        if notice.level == "progress":
            return True
        now = self._now_s()
        self._shown = {text: at for text, at in self._shown.items() if now - at < _AGAIN_S}
        if notice.text in self._shown:
            return False
        self._shown[notice.text] = now
        return True
