"""What becomes of each field of a batch: table, struct and page say the same."""

from pathlib import Path

from openai.types.batch_create_params import BatchCreateParams

from gateway.bulk.batches import FIELDS, BatchRequest
from gateway.openai.fields import table

PAGE = Path(__file__).parents[3] / "docs" / "compatibility.md"


def test_a_field_is_supported_where_the_struct_has_it() -> None:
    """The table can't promise what the code does not read, and has all that OpenAI's client can send."""
    supported = {name for name, field in FIELDS.items() if field.fate == "supported"}

    assert supported == set(BatchRequest.__struct_fields__)
    assert set(BatchCreateParams.__annotations__) <= set(FIELDS)


def test_the_page_is_drawn_from_the_table() -> None:
    """Whoever changes one changes the other."""
    assert table(FIELDS) in PAGE.read_text("utf-8")
