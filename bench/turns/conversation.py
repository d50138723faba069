"""A chat that begins with a long message and goes on with short ones. No two chats begin alike."""

_ABOUT = ("lighthouse", "harbour", "clockmaker", "winter", "last train", "garden", "old bridge", "market")
_DONE = ("was painted again", "stood empty", "had a new keeper", "was sold", "burned down", "was built anew")
_QUESTIONS = (
    "What happened first?",
    "And what came after that?",
    "Who would have minded?",
    "Sum it up in a sentence.",
    "Why does it matter?",
)

Message = dict[str, str]


class Conversation:
    """What was said so far."""

    def __init__(self, number: int, *, sentences: int) -> None:
        """`number` makes it another chat than all others; some 17 tokens of history a sentence."""
        story = " ".join(
            f"In the year {1000 + (97 * number + 13 * year) % 999} the {_ABOUT[year % 8]} {_DONE[(year + number) % 6]}."
            for year in range(sentences)
        )
        self._messages: list[Message] = [
            {"role": "system", "content": f"You are chronicler number {number}, and brief."},
            {"role": "user", "content": f"{story} {_QUESTIONS[0]}"},
        ]
        self._turn = 1

    @property
    def messages(self) -> list[Message]:
        """The messages of the next turn."""
        return list(self._messages)

    def go_on(self, answer: str) -> None:
        """Take the answer in, and ask the next question."""
        question = _QUESTIONS[self._turn % len(_QUESTIONS)]
        self._turn += 1
        self._messages += [{"role": "assistant", "content": answer}, {"role": "user", "content": question}]
