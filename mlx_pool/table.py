"""Rows of text under headings, for people; programs ask for JSON."""

from collections.abc import Sequence

from .terminal import clean


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay the rows out in columns, two blanks apart, without blanks at the ends of lines.

    Cells may hold others' words: what would steer a terminal is taken out.
    """
    lines = [[clean(cell) for cell in line] for line in (headings, *rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]
    return "\n".join(
        "  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )
