"""Guessing ids: whatever is another tenant's answers as what never was, on every route that takes an id."""

import asyncio
import itertools
import re
import secrets
from collections import defaultdict
from collections.abc import Mapping, Sequence

import pytest

from shared.job import queue_tag
from tests.gateway.bulk.requests import answering, chat_line, jsonl, make_batch, until_ended
from tests.gateway.conftest import Eventually, Serving
from tests.gateway.hand import MODEL, Served
from tests.gateway.openai.sdk import openai_on

from .conftest import GivenKeys, Headers
from .routes import all_routes
from .test_tenants import shown, start

NOBODYS = {"/v1/models/{id:path}", "/page/{name:path}", "/join/{name}"}  # models are no tenant's: test_rights.py
Names = Mapping[str, list[str]]  # what routes begin with, and what there is below them

_DATE = re.compile(rb"date: [^\r]*\r\n")
_LENGTH = re.compile(rb"content-length: ([0-9]+)")


def unknown(kind: str) -> str:
    """A name of that kind which nobody has."""
    forms = {
        "/chat": f"{queue_tag(MODEL)}-",
        "/pool/jobs": f"{queue_tag(MODEL)}-",
        "/v1/responses": f"resp_{queue_tag(MODEL)}-",
        "/v1/files": "file-",
        "/v1/batches": "batch_",
    }
    return forms[kind] + secrets.token_hex(16)


async def routes_with_an_id() -> dict[str, list[tuple[str, str]]]:
    """Those that take a tenant's id, by the kind of thing."""
    routes: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for method, path in await all_routes():
        if "{" in path and path not in NOBODYS:
            assert "{id}" in path, "a route whose parameter this test does not know"
            routes[path.partition("/{id}")[0]].append((method, path))
    return dict(routes)


async def own_all(served: Served, who: Headers) -> Names:
    """Have one of everything; what it takes work to end waits."""
    job_id = await start(served, who)
    async with openai_on(served, api_key=who["authorization"][7:]) as client:
        response = await client.responses.create(model=MODEL, input="x", background=True)
        batch = await make_batch(client, jsonl(chat_line(0)))
    return {
        "/chat": [job_id],
        "/pool/jobs": [job_id],
        "/v1/responses": [response.id],
        "/v1/files": [batch.input_file_id],
        "/v1/batches": [batch.id],
    }


async def work_off(served: Served, who: Headers, things: Names) -> None:
    """End it all; the batch gives a file of results, which is a thing as well."""
    async with openai_on(served, api_key=who["authorization"][7:]) as client, answering(served):
        batch = await until_ended(client, await client.batches.retrieve(things["/v1/batches"][0]))
        things["/v1/files"].append(batch.output_file_id or "")
        await client.responses.retrieve(things["/v1/responses"][0])


@pytest.mark.parametrize("is_ended", [True, False], ids=["ended", "waiting"])
async def test_anothers_things_answer_exactly_as_none(
    serving: Serving, keys: GivenKeys, eventually: Eventually, *, is_ended: bool
) -> None:
    """By every route that takes an id, body, status and headers; and nothing happens to them."""
    owner, other = keys.give("owner"), keys.give("other")
    async with serving(keys=keys.path) as served:
        things = await own_all(served, owner)
        await (work_off(served, owner, things) if is_ended else eventually(lambda: waiting(served, 3)))

        for kind, asked in (await routes_with_an_id()).items():
            for (method, path), name in itertools.product(asked, things[kind]):
                foreign, none = [
                    await served.http.request(method, path.replace("{id}", each), headers=other)
                    for each in (name, unknown(kind))
                ]
                assert shown(foreign) == shown(none), (method, path)
                assert foreign.status_code == 404, (method, path)

        assert await waiting(served, 0 if is_ended else 3)
        for kind, names in things.items() if is_ended else ():
            answers = [await served.http.get(f"{kind}/{name}", headers=owner) for name in names]
            assert {answer.status_code for answer in answers} == {200}


async def waiting(served: Served, jobs: int) -> bool:
    """Whether so many jobs wait."""
    return (await served.hand.queue.survey()).waiting_total == jobs


Guess = tuple[str, str]  # a method, and a path
Told = dict[str, set[bytes]]  # by route, the different answers but for their dates


async def guess(port: int, guesses: Sequence[tuple[Guess, str]], who: Headers) -> Told:
    """Ask for names over a connection of one's own, one after the other."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    told: defaultdict[str, set[bytes]] = defaultdict(set)
    for (method, path), name in guesses:
        head = f"{method} {path.replace('{id}', name)} HTTP/1.1\r\nhost: localhost\r\nx-request-id: same\r\n"
        writer.write(f"{head}authorization: {who['authorization']}\r\ncontent-length: 0\r\n\r\n".encode())
        answer = await reader.readuntil(b"\r\n\r\n")
        [length] = _LENGTH.findall(answer)
        body = b"" if method == "HEAD" else await reader.readexactly(int(length))
        told[f"{method} {path}"].add(_DATE.sub(b"", answer) + body)
    writer.close()
    return told


@pytest.mark.parametrize("guesses", [400, pytest.param(10_000, marks=pytest.mark.long)])
async def test_guesses_of_a_foreign_id_learn_nothing(
    serving: Serving, keys: GivenKeys, eventually: Eventually, guesses: int
) -> None:
    """However many are made on every route, the right ones among them: all answers of a route are one."""
    owner, other = keys.give("owner"), keys.give("other")
    async with serving(keys=keys.path) as served:
        things = await own_all(served, owner)
        await eventually(lambda: waiting(served, 3))
        routes = [(kind, route) for kind, some in (await routes_with_an_id()).items() for route in some]
        tries = [(route, name) for kind, route in routes for name in things[kind]]
        tries += [(route, unknown(kind)) for kind, route in itertools.islice(itertools.cycle(routes), guesses)]

        lots = await asyncio.gather(*(guess(served.port, tries[at::4], other) for at in range(4)))

        for route in {f"{method} {path}" for _, (method, path) in routes}:
            [answer] = set[bytes]().union(*(told[route] for told in lots))
            assert answer.startswith(b"HTTP/1.1 404"), route
        assert await waiting(served, 3)
