"""What is wrong with a file as a whole, found before any of its lines is run; of the lines each, their routes judge."""

from collections.abc import AsyncIterable

from shared.bulk import Problem

from .line import Line, custom_id_in

MOST_TOLD = 20


async def problems_in(lines: AsyncIterable[Line]) -> list[Problem]:
    """The first of the lines that call themselves as one before them does: nobody could tell their results apart."""
    known: dict[str, int] = {}
    problems: list[Problem] = []
    async for line in lines:
        name = custom_id_in(line.data)
        if name is None or known.setdefault(name, line.number) == line.number:
            continue
        said = f"`custom_id` {name!r} is that of line {known[name] + 1} already."
        problems.append(Problem("duplicate_custom_id", said, param="custom_id", line=line.number + 1))
        if len(problems) == MOST_TOLD:
            break
    return problems
