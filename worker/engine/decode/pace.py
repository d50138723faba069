"""How fast this machine reads prompts, as measured."""

_SMOOTHING = 0.3


class Pace:
    """A running average. Bad news is believed at once: the deeper a prompt, the slower it goes."""

    def __init__(self) -> None:
        self.tokens_per_second = 0.0  # 0: nothing measured yet

    def note(self, tokens: int, seconds: float) -> None:
        """Take in that so many tokens took so long."""
        measured = tokens / seconds
        weight = _SMOOTHING if 0 < self.tokens_per_second < measured else 1.0
        self.tokens_per_second += weight * (measured - self.tokens_per_second)
