"""docs/protocol.md says what the code does: its tables are held against the structs, codes and defaults."""

import re
from pathlib import Path

import msgspec
import pytest

from shared.errors import CODES
from shared.event import Cancelled, Done, Error, Event, Started, Token, decode_event
from shared.limits import Limits
from shared.outline import Outline, decode_outline, encode_outline
from shared.scripts import source

from .conftest import Labs

PAGE = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text("utf-8")


def section(title: str) -> str:
    """The text under a heading."""
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def rows(text: str) -> dict[str, list[str]]:
    """A table's cells by the word in its first column."""
    cells = [line.strip("|").split(" | ") for line in text.splitlines() if line.startswith("| `")]
    return {re.findall(r"`([^`]*)`", row[0])[0]: [cell.strip() for cell in row[1:]] for row in cells}


@pytest.mark.parametrize("event", [Started, Token, Done, Error, Cancelled])
def test_every_field_of_an_event_stands_in_its_row(event: type[Event]) -> None:
    """A reader in another language knows what can come, and nothing that cannot."""
    told = rows(section("Events"))[str(event.__struct_config__.tag)][0]

    fields = set(event.__struct_fields__) - {"seq"}
    reasons = {"stop", "length", "tool_calls"} - fields
    assert set(re.findall(r"`([a-z_]+)`", told)) - reasons == fields


def test_the_examples_are_events() -> None:
    """What the page shows is what the decoder of this project reads."""
    lines = [line.partition("  ")[2] for line in section("Events").splitlines() if re.match(r"\d+-\d+  ", line)]

    events = [
        decode_event(line.replace("…", '"seed":1,"prompt_tokens":8,"prompt_hash":"h"').encode()) for line in lines
    ]

    assert [event.seq for event in events if event] == [1, 2, 3, 4, 5, 6]


def test_the_example_of_an_outline_is_one() -> None:
    """A producer in another language can go by it."""
    [example] = re.findall(r"^[0-9]+ \S+ \S+$", section("A job"), re.MULTILINE)

    assert encode_outline(decode_outline(example)) == example != encode_outline(Outline(0))


def test_every_code_on_the_page_is_one() -> None:
    """A mistyped code would be waited for in vain."""
    paragraph = section("Events").partition("**Codes** of errors")[2]

    codes = set(re.findall(r"`([a-z_]+)`", paragraph))

    assert codes <= CODES
    assert {"queue_full", "deadline_exceeded", "poisoned", "invalid_json", "stream_lost"} <= codes


def test_the_bounds_are_the_defaults() -> None:
    """Each with its figure."""
    told = {name: int(cells[0].replace(",", "")) for name, cells in rows(section("Bounds")).items()}

    assert told == msgspec.structs.asdict(Limits())


async def test_the_submit_script_can_be_called_as_the_page_says(lab: Labs) -> None:
    """The arguments of the example, in its order, add the job; again, they find it."""
    words = re.findall(r"EVALSHA <sha> 1 '[^']*' (.*)", section("Bounded and idempotent: the submit script"))[0]
    arguments = [word.strip("'") for word in re.findall(r"'[^']*'|\S+", words)]
    async with lab() as here:
        digest = await here.redis("SCRIPT", "LOAD", source("submit"))

        replies = [await here.redis("EVALSHA", digest, 1, here.keys.prefix, *arguments) for _ in range(2)]

        assert replies == [[b"OK", b"waiting", 1], [b"OK", b"waiting", 0]]
