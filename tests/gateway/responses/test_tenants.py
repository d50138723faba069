"""One tenant's responses are nobody else's: they answer exactly as unknown ones."""

import httpx
import pytest

from shared.job import queue_tag
from tests.gateway.access.conftest import GivenKeys
from tests.gateway.access.test_tenants import shown
from tests.gateway.conftest import Serving
from tests.gateway.hand import MODEL, Served
from tests.gateway.openai.sdk import STOP, answered

PATH = "/v1/responses"
UNKNOWN = f"resp_{queue_tag(MODEL)}-{'0' * 32}"


async def ask_all(served: Served, name: str, who: dict[str, str]) -> list[httpx.Response]:
    """Every call that takes a response's name."""
    http, path = served.http, f"{PATH}/{name}"
    return [
        await http.get(path, headers=who),
        await http.get(f"{path}?stream=true&starting_after=1", headers=who),
        await http.get(f"{path}/input_items", headers=who),
        await http.post(f"{path}/cancel", headers=who),
        await http.delete(path, headers=who),
        await http.post(PATH, json={"input": "x", "previous_response_id": name}, headers=who),
    ]


@pytest.mark.parametrize("is_ended", [True, False], ids=["ended", "waiting"])
async def test_anothers_response_answers_exactly_like_none(
    serving: Serving, keys: GivenKeys, *, is_ended: bool
) -> None:
    """By every call: body, status and headers; and nothing happens to it."""
    owner, other = keys.give("owner"), keys.give("other")
    async with serving(keys=keys.path) as served:
        asking = served.http.post(PATH, json={"input": "x", "background": not is_ended}, headers=owner)
        name = ((await answered(served, asking, STOP))[0] if is_ended else await asking).json()["id"]

        foreign, unknown = await ask_all(served, name, other), await ask_all(served, UNKNOWN, other)

        assert [shown(each) for each in foreign] == [shown(each) for each in unknown]
        assert {each.status_code for each in foreign} == {400, 404}
        mine = await served.http.get(f"{PATH}/{name}", headers=owner)
        assert mine.json()["status"] == ("completed" if is_ended else "queued")
