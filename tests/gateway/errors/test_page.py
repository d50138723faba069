"""The table of errors in the docs against the one in the code, and both against what the tests here provoke."""

import re
from pathlib import Path

from gateway.errors import TABLE
from shared.errors import CODES, may_retry

from .row import ROWS, Row

PAGE = (Path(__file__).parents[3] / "docs" / "http.md").read_text("utf-8")
SECTION = PAGE.partition("\n## Errors\n")[2].partition("\n## ")[0]
LINE = re.compile(r"^\| (`.+) \| (\d{3})[^|]* \| `(\w+)` \| `(\w+)` \| (yes|no) \|$", re.MULTILINE)


def told_by_the_page() -> dict[str, Row]:
    """The rows of every code."""
    told: dict[str, Row] = {}
    for codes, status, kind, anthropic_kind, again in LINE.findall(SECTION):
        told |= dict.fromkeys(re.findall(r"`(\w+)`", codes), Row(int(status), kind, anthropic_kind, again == "yes"))
    return told


def test_the_table_is_the_designs() -> None:
    """Statuses, the types of both families of clients, and when to ask again."""
    told = {code: (*row, may_retry(code)) for code, row in TABLE.items()}

    assert told == {code: tuple(row) for code, row in ROWS.items()}


def test_the_page_has_every_code() -> None:
    """With all that clients go by."""
    assert told_by_the_page() == ROWS


def test_every_code_is_provoked() -> None:
    """A code that no test here meets is one whose answer nobody has seen."""
    here = Path(__file__)
    pages = [page.read_text("utf-8") for page in here.parent.glob("*.py") if page.name not in ("row.py", here.name)]

    assert {word for page in pages for word in re.findall(r'"(\w+)"', page)} >= CODES
