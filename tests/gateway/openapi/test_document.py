"""The document itself: whole, valid, and about the routes that there are."""

from openapi_spec_validator import OpenAPIV31SpecValidator

from gateway.errors import TABLE
from gateway.openapi.document import document_object
from gateway.openapi.errors import EVERYWHERE, WITH_A_KEY
from tests.documents import reached, references
from tests.gateway.access.routes import all_routes
from tests.gateway.conftest import Serving
from tests.gateway.hand import refusal

from .conftest import Document


def test_it_is_openapi(document: Document) -> None:
    """By the meta-schema of OpenAPI 3.1, and every reference leads somewhere."""
    OpenAPIV31SpecValidator(document.told).validate()

    assert set(references(document.told)) <= set(document.schemas)


async def test_every_route_is_told_of_and_nothing_else(document: Document) -> None:
    """Whoever adds a route describes it in its surface's `described`; HEAD goes with every GET."""
    routes = {(method, path.replace(":path}", "}")) for method, path in await all_routes() if method != "HEAD"}

    assert {(method, path) for method, path, _ in document.operations()} == routes


def test_nothing_is_told_of_for_nobody(document: Document) -> None:
    """A schema that no call needs was forgotten there; batches' lines are for people."""
    needed = reached(document.paths, document.told["components"])

    lines = {"bulk.LineRequest", "bulk.ResultLine", "bulk.LineResponse", "bulk.LineError"}
    assert set(document.schemas) - needed == lines


def test_calls_have_names_of_their_own(document: Document) -> None:
    """Tools make functions of them."""
    names = [told["operationId"] for _, _, told in document.operations()]

    assert len(set(names)) == len(names)


def test_every_call_may_be_refused_by_the_door(document: Document) -> None:
    """Where there are keys, all but the page's frame, what joins, and one call need one: no call forgets to say so."""
    anywhere = {str(TABLE[code].status) for code in EVERYWHERE}
    locked = {str(TABLE[code].status) for code in WITH_A_KEY}

    for _, path, told in document.operations():
        assert anywhere <= set(told["responses"])
        is_open = path in {"/health/live", "/", "/page/{name}", "/join", "/join/{name}"} and told["security"] == []
        assert locked <= set(told["responses"]) or is_open


def test_a_gateway_with_a_lock_says_that_a_key_is_needed() -> None:
    """In either header; without a lock it may be left out."""
    locked, open_to_all = document_object(has_lock=True), document_object(has_lock=False)

    assert locked["security"] == [{"bearer": []}, {"key": []}]
    assert open_to_all["security"] == [{"bearer": []}, {"key": []}, {}]


async def test_it_is_served(serving: Serving, document: Document) -> None:
    """At the address where tools look for it."""
    async with serving() as served:
        answer = await served.http.get("/openapi.json")

        assert answer.json() == document.told
        assert not document.errors_in(answer, "/openapi.json")


async def test_strangers_are_told_nothing(serving: Serving) -> None:
    """It is no secret, but who has no key learns not even what stands here."""
    async with serving(key="s3cret") as served:
        assert refusal(await served.http.get("/openapi.json"))[:2] == (401, "invalid_api_key")

        answer = await served.http.get("/openapi.json", headers={"x-api-key": "s3cret"})
        assert answer.json()["security"] == [{"bearer": []}, {"key": []}]
