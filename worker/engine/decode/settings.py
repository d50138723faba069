"""How one row samples, as plain values: what an ask says, checked for what only this model can know."""

from dataclasses import dataclass

from shared.errors import Refused
from shared.job import Ask

# Below this the division by the temperature leaves float32, and no other token has any weight left.
COLDEST = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One row's sampling parameters; the order they act in is `sampling`'s."""

    temperature: float = 0.0
    top_k: int = 0  # 0 keeps all
    top_p: float = 1.0
    min_p: float = 0.0
    repeat_penalty: float = 1.0
    repeat_last_n: int = 64
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    logit_bias: tuple[tuple[int, float], ...] = ()
    min_tokens: int = 0
    seed: int = 0

    @property
    def is_greedy(self) -> bool:
        """Whether the likeliest token is taken, so that nothing is drawn."""
        return self.temperature < COLDEST or self.top_k == 1

    @property
    def has_penalties(self) -> bool:
        """Whether recent tokens change the logits at all."""
        is_neutral = self.repeat_penalty == 1 and self.presence_penalty == 0 and self.frequency_penalty == 0
        return self.repeat_last_n > 0 and not is_neutral


def settings_of(ask: Ask, *, seed: int, vocabulary: int) -> Settings:
    """Read an ask's sampling fields; `Refused` names a biased id that the model does not have."""
    bias = tuple((int(name), value) for name, value in (ask.logit_bias or {}).items())
    for token, _ in bias:
        if token >= vocabulary:
            raise Refused(
                "invalid_value", f"`logit_bias` names id {token}; the model has {vocabulary}.", param="logit_bias"
            )
    return Settings(
        temperature=ask.temperature,
        top_k=ask.top_k,
        top_p=ask.top_p,
        min_p=ask.min_p,
        repeat_penalty=ask.repeat_penalty,
        repeat_last_n=ask.repeat_last_n,
        presence_penalty=ask.presence_penalty,
        frequency_penalty=ask.frequency_penalty,
        logit_bias=bias,
        min_tokens=ask.min_tokens,
        seed=seed,
    )
