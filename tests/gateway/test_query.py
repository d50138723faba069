"""Values behind the question mark."""

import pytest

from gateway.query import choice_in, flag_in
from shared.errors import Refused

from .conftest import Serving
from .hand import refusal


@pytest.mark.parametrize(
    ("params", "default", "expected"),
    [({}, True, True), ({}, False, False), ({"a": "true"}, False, True), ({"a": "False"}, True, False)],
)
def test_a_flag_is_true_or_false(params: dict[str, str], *, default: bool, expected: bool) -> None:
    """In any case of letters; without it the default."""
    assert flag_in(params, "a", default=default) is expected


@pytest.mark.parametrize("given", ["", "yes", "1", "flase", "null"])
def test_a_mistyped_value_is_refused_by_its_name(given: str) -> None:
    """It would silently change the answer."""
    for read in (lambda: flag_in({"a": given}, "a"), lambda: choice_in({"a": given}, "a", ("asc", "desc"))):
        with pytest.raises(Refused) as refused:
            read()
        assert (refused.value.code, refused.value.param) == ("invalid_value", "a")


async def test_every_route_reads_them_so(serving: Serving) -> None:
    """Streams, lists, figures and news; no job is begun by a request that is refused."""
    async with serving() as served:
        told = await served.http.post("/v1/responses", json={"input": "x", "background": True})
        response = f"/v1/responses/{told.json()['id']}"
        asked = {
            "stream": ("/chat/none", response),
            "order": (f"{response}/input_items", "/v1/files"),
            "scope": ("/metrics",),
        }
        for name, paths in asked.items():
            for path in paths:
                assert refusal(await served.http.get(path, params={name: "no"})) == (400, "invalid_value", name)

        answer = await served.http.post("/chat", params={"queued": "yes"}, json={"prompt": "x"})
        assert refusal(answer) == (400, "invalid_value", "queued")
        assert (await served.hand.queue.survey()).waiting_total == 1
