"""A command's page of help: its flags in one column, what they mean in another, as wide as the terminal allows."""

import io
import shutil
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any, Final

from cyclopts.help import HelpEntry, HelpPanel
from rich.console import Console, ConsoleOptions

_WIDEST: Final = 120  # longer lines are hard to read
_LABEL_WIDTH: Final = 26  # behind a longer label its words begin on the next line
_TITLES: Final = {"Parameters": "Options"}
_HELP: Final = ("-h, --help", "Show this page.")
_UNWRAPPED: Final = 100_000


class FlagsPage:
    """What cyclopts asks for the page, part by part."""

    def __call__(self, console: Console, options: ConsoleOptions, panel: HelpPanel) -> None:  # noqa: ARG002 -- they are given
        """Write the arguments, or the options; `--help`, which would have a part of its own, stands with these."""
        if panel.format == "command" or not panel.entries:
            return
        title = _plain(panel.title)
        rows = [(", ".join(entry.display_labels_with_metavar), _told(entry)) for entry in panel.entries]
        if title in _TITLES:
            rows.append(_HELP)
        _write(console, [f"{_TITLES.get(title, title)}:", *_columns(rows), ""])

    def render_usage(self, console: Console, options: ConsoleOptions, usage: Any) -> None:  # noqa: ARG002 -- they are given
        """Write the first line."""
        _write(console, [f"Usage: {_plain(usage)}", ""])

    def render_description(self, console: Console, options: ConsoleOptions, description: Any) -> None:  # noqa: ARG002 -- they are given
        """Write what the command does, a paragraph each."""
        for paragraph in _plain(description).split("\n\n"):
            _write(console, [*textwrap.wrap(paragraph, _width()), ""])


def _told(entry: HelpEntry) -> str:
    """What a flag means. One that is off unless it is given needs no word about that."""
    told = [_plain(entry.description)]
    if entry.choices and not all(choice in told[0] for choice in entry.choices):
        told.append(f"[choices: {', '.join(entry.choices)}]")
    if entry.default not in {None, "False"}:
        told.append(f"[default: {entry.default}]")
    if entry.required:
        told.append("[required]")
    return " ".join(told)


def _columns(rows: Sequence[tuple[str, str]]) -> Iterator[str]:
    left = min(_LABEL_WIDTH, max(len(label) for label, _ in rows))
    for label, told in rows:
        first, *rest = textwrap.wrap(told, max(20, _width() - left - 4)) or [""]
        if len(label) > left:
            yield f"  {label}"
            yield f"{'':{left + 4}}{first}"
        else:
            yield f"  {label:<{left}}  {first}".rstrip()
        yield from (f"{'':{left + 4}}{line}" for line in rest)


def _plain(shown: Any) -> str:
    """The words of what cyclopts would have drawn, not yet wrapped."""
    out = io.StringIO()
    Console(file=out, width=_UNWRAPPED, color_system=None).print(shown, markup=False, highlight=False)
    return out.getvalue().strip()


def _width() -> int:
    return min(_WIDEST, shutil.get_terminal_size((100, 24)).columns)


def _write(console: Console, lines: Sequence[str]) -> None:
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
