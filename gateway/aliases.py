"""Other names for models, so that clients that name somebody else's models find one here."""

from collections.abc import Collection, Mapping

WILDCARD = "*"  # the alias of every name that is neither served nor an alias
PATTERN = r"^([^=,\s]+=[^=,\s]+(,[^=,\s]+=[^=,\s]+)*)?$"

Aliases = Mapping[str, str]


def read_aliases(text: str) -> Aliases:
    """Read `NAME=MODEL,NAME=MODEL`, which matches `PATTERN`; of a name that comes twice the last one counts."""
    pairs = (pair.partition("=") for pair in text.split(",") if pair)
    return {name: model for name, _, model in pairs}


def meant_by(asked: str, served: Collection[str], aliases: Aliases) -> str:
    """The model that a name means: itself where it is served, else what an alias, or the wildcard, says."""
    return asked if asked in served else aliases.get(asked, aliases.get(WILDCARD, asked))


def names_of(served: Collection[str], aliases: Aliases) -> list[str]:
    """The names to tell clients: served models, then the aliases that lead to one."""
    others = (name for name, model in aliases.items() if name != WILDCARD and model in served)
    return [*sorted(served), *sorted(name for name in others if name not in served)]
