"""JSON Schemas of structs: of what is read, and of what is written."""

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from shared.schemas import schemas_of

PLACE = "#/schemas/"


class Inner(msgspec.Struct):
    """Something inside.

    It has more to say.
    """

    a: int = 1


class Outer(msgspec.Struct, tag="outer"):
    """Something that refers to it, once by its bare name."""

    inner: Inner
    raw: Annotated[msgspec.Raw, Meta(extra_json_schema={"$ref": "Inner"})]
    maybe: int | UnsetType = UNSET
    b: int | None = None


class Sparse(msgspec.Struct, omit_defaults=True):
    """What has its default is left out."""

    a: int
    b: int = 0


def test_of_what_is_written_every_field_is_there() -> None:
    """But for those that may be unset, and those of a struct that leaves defaults out; nothing has a default then."""
    structs = schemas_of([], [Outer, Sparse], place=PLACE).structs

    assert structs["Outer"]["required"] == ["type", "inner", "raw", "b"]
    assert structs["Inner"]["required"] == ["a"]
    assert "default" not in structs["Inner"]["properties"]["a"]
    assert structs["Sparse"]["required"] == ["a"]


def test_of_what_is_read_only_what_has_no_default_is_needed() -> None:
    """Also where the same is written, too."""
    structs = schemas_of([Outer], [Inner], place=PLACE).structs

    assert structs["Outer"]["required"] == ["type", "inner", "raw"]
    assert structs["Inner"]["required"] == []
    assert structs["Inner"]["properties"]["a"]["default"] == 1


def test_references_lead_to_the_place() -> None:
    """Those that were given by a bare name, too."""
    schemas = schemas_of([Outer], [], place=PLACE)

    assert schemas.read == [{"$ref": "#/schemas/Outer"}]
    assert schemas.structs["Outer"]["properties"]["inner"]["$ref"] == "#/schemas/Inner"
    assert schemas.structs["Outer"]["properties"]["raw"]["$ref"] == "#/schemas/Inner"
    assert schemas.structs["Inner"]["description"] == "Something inside.\n\nIt has more to say."
