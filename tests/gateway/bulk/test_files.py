"""Files with OpenAI's own client: in, told of, out again, gone; and never whole in a gateway's memory."""

import asyncio
import contextlib
import tracemalloc
from collections.abc import AsyncGenerator, Awaitable, Callable

import httpx
import pytest
from openai import NotFoundError
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import Message

from gateway.bulk.upload import MAX_FILE_BYTES, Upload
from shared.bulk_file import PIECE_BYTES, UPLOAD_MS, BulkFile, BulkFiles
from shared.connection import connect
from shared.errors import Refused
from shared.keys import bulk_list, bulk_prefix
from tests.gateway.access.conftest import GivenKeys
from tests.gateway.access.test_tenants import shown
from tests.gateway.conftest import Serving
from tests.gateway.hand import Served, refusal
from tests.gateway.openai.sdk import openai_on

from .requests import answering, chat_line, jsonl, make_batch, until_ended

FORM = Headers({"content-type": "multipart/form-data; boundary=x"})
BEGUN = b'--x\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\n'


async def test_a_file_comes_back_as_it_went_in(serving: Serving) -> None:
    """Byte for byte, over any number of pieces, with its name, size and time to live."""
    data = jsonl(*(chat_line(number, padding="가" * 500) for number in range(300)))
    async with serving(has_worker=False) as served, openai_on(served) as client:
        file = await client.files.create(file=("내 파일.jsonl", data), purpose="batch")

        assert len(data) > 2 * PIECE_BYTES
        assert (file.bytes, file.filename, file.purpose, file.status) == (
            len(data),
            "내 파일.jsonl",
            "batch",
            "processed",
        )
        assert (await client.files.content(file.id)).content == data
        assert await client.files.retrieve(file.id) == file
        assert [each.id async for each in client.files.list()] == [file.id]
        assert file.expires_at
        assert file.expires_at - file.created_at == 48 * 3_600


async def test_a_deleted_file_is_gone(serving: Serving) -> None:
    """An upload, and what a batch gave."""
    async with serving() as served, openai_on(served) as client, answering(served):
        ended = await until_ended(client, await make_batch(client, jsonl(chat_line(0))))
        assert ended.output_file_id

        for name in (ended.input_file_id, ended.output_file_id):
            assert (await client.files.delete(name)).deleted
            with pytest.raises(NotFoundError):
                await client.files.retrieve(name)
        assert [each.id async for each in client.files.list()] == []


async def test_a_file_lives_as_long_as_it_was_asked_to(serving: Serving) -> None:
    """Or longer, where a batch reads it."""
    async with serving(has_worker=False) as served, openai_on(served) as client:
        file = await client.files.create(
            file=("a", b"{}"), purpose="batch", expires_after={"anchor": "created_at", "seconds": 3_600}
        )
        key = f"pool:bulk:{{{file.id.removeprefix('file-')}}}:input"
        before = await served.hand.broker.command("PTTL", key)
        await client.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h")
        after = await served.hand.broker.command("PTTL", key)

        assert before <= 3_600_000 < 72 * 3_600_000 - 60_000 < after


@pytest.mark.parametrize(
    ("form", "data", "param"),
    [
        ({"file": ("a", b"{}")}, {}, "purpose"),
        ({"file": ("a", b"{}")}, {"purpose": "assistants"}, "purpose"),
        ({"file": ("a", b"")}, {"purpose": "batch"}, "file"),
        ({"other": ("a", b"{}")}, {"purpose": "batch"}, "file"),
        ({"file": ("a", b"{}")}, {"purpose": "batch", "expires_after[seconds]": "5"}, "expires_after"),
    ],
)
async def test_what_is_no_upload_is_refused(
    serving: Serving, form: dict[str, tuple[str, bytes]], data: dict[str, str], param: str
) -> None:
    """By the field's name, and nothing of it stays."""
    async with serving(has_worker=False) as served:
        answer = await served.http.post("/v1/files", files=form, data=data)

        assert (refusal(answer)[0], refusal(answer)[2]) == (400, param)
        assert await served.hand.broker.command("KEYS", "pool:bulk:*") == []


async def test_too_much_is_refused_before_it_is_read(serving: Serving) -> None:
    """By its declared length; and what no form is, by its type."""
    async with serving(has_worker=False) as served:
        head = {"content-type": "multipart/form-data; boundary=x", "content-length": str(MAX_FILE_BYTES + 100_000)}
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
        writer.write(f"POST /v1/files HTTP/1.1\r\nhost: localhost\r\n{lines}\r\n".encode())
        answer = await reader.readline()
        writer.close()
        other = await served.http.post("/v1/files", content=b"x", headers={"content-type": "application/json"})

        assert answer.startswith(b"HTTP/1.1 413")
        assert refusal(other) == (415, "wrong_content_type", None)


async def test_a_gateway_never_holds_a_file(serving: Serving) -> None:
    """Thirty MB in and out cost it a few pieces."""
    line = jsonl(chat_line(0, padding="x" * 1_000))

    async def form() -> AsyncGenerator[bytes]:
        yield b'--x\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
        yield BEGUN
        for _ in range(480):
            yield line * 60
        yield b"\r\n--x--\r\n"

    async with serving(has_worker=False) as served:
        tracemalloc.start()
        kind = {"content-type": "multipart/form-data; boundary=x"}
        file = (await served.http.post("/v1/files", content=form(), headers=kind)).json()
        got = 0
        async with served.http.stream("GET", f"/v1/files/{file['id']}/content") as answer:
            async for data in answer.aiter_bytes():
                got += len(data)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

        assert got == file["bytes"] > 30_000_000
        assert peak < 8_000_000


async def test_an_upload_that_is_cut_leaves_nothing(serving: Serving) -> None:
    """Its pieces go at once; those of a gateway that died go within the hour."""
    async with serving(has_worker=False) as served:
        upload = Upload(files := BulkFiles(served.hand.broker), tenant="", room_bytes=1 << 30)
        messages: list[dict[str, object]] = [
            {"type": "http.request", "body": BEGUN + b"x" * 600_000, "more_body": True},
            {"type": "http.disconnect"},
        ]

        async def receive() -> dict[str, object]:
            if len(messages) == 1:
                ttl = await served.hand.broker.command("KEYS", "pool:bulk:*:data")
                assert 0 < await served.hand.broker.command("PTTL", ttl[0]) <= 3_600_000
            return messages.pop(0)

        with pytest.raises(ClientDisconnect):
            await upload.run(FORM, receive)

        assert await files.tags("") == []
        assert await served.hand.broker.command("KEYS", "pool:bulk:*:data") == []


async def test_a_tenant_has_so_much_room(serving: Serving) -> None:
    """Past it, a file is refused while it comes in, and nothing of it stays."""
    async with serving(has_worker=False) as served:
        upload = Upload(BulkFiles(served.hand.broker), tenant="", room_bytes=1_000)

        async def receive() -> dict[str, object]:
            return {"type": "http.request", "body": BEGUN + b"x" * 2_000, "more_body": True}

        with pytest.raises(Refused, match="room"):
            await upload.run(FORM, receive)


def coming(size: int) -> Callable[[], Awaitable[Message]]:
    """A form with a file of so many bytes, in pieces."""
    purpose = b'--x\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
    pieces = [purpose + BEGUN, *[b"x" * PIECE_BYTES] * (size // PIECE_BYTES), b"\r\n--x--\r\n"]

    async def receive() -> Message:
        piece = pieces.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

    return receive


async def test_uploads_at_once_share_the_room(broker: str) -> None:
    """However many come in together, the first ones stay, as many as there is room for."""
    client = connect(broker, name="test")
    async with contextlib.aclosing(client):
        uploads = [Upload(files := BulkFiles(client), tenant="", room_bytes=5 << 20) for _ in range(10)]

        outcomes = await asyncio.gather(*(each.run(FORM, coming(2 << 20)) for each in uploads), return_exceptions=True)

        assert sum(isinstance(each, BulkFile) for each in outcomes) == 2
        assert sum(isinstance(each, Refused) for each in outcomes) == 8
        assert len(await files.tags("")) == 2


async def test_what_is_gone_is_on_no_list(broker: str) -> None:
    """A deleted file at once, an expired one when the next comes in: a list is no longer than what there is."""
    client = connect(broker, name="test")
    async with contextlib.aclosing(client):
        files = BulkFiles(client)
        made = [await Upload(files, tenant="", room_bytes=1 << 30).run(FORM, coming(PIECE_BYTES)) for _ in range(3)]
        await files.delete(made[0].tag, "input", tenant="")
        key = bulk_prefix(made[1].tag)
        await client.command("UNLINK", f"{key}:input", f"{key}:input:data")
        await client.command("ZADD", bulk_list("", "files"), made[1].created - UPLOAD_MS - 60_000, made[1].tag)

        last = await Upload(files, tenant="", room_bytes=1 << 30).run(FORM, coming(PIECE_BYTES))

        assert await files.tags("") == [last.tag, made[2].tag]


async def ask_all(served: Served, file_id: str, batch_id: str, who: dict[str, str]) -> list[httpx.Response]:
    """Every call that takes a file's or a batch's name."""
    http = served.http
    body = {"input_file_id": file_id, "endpoint": "/v1/chat/completions", "completion_window": "24h"}
    return [
        await http.get(f"/v1/files/{file_id}", headers=who),
        await http.get(f"/v1/files/{file_id}/content", headers=who),
        await http.delete(f"/v1/files/{file_id}", headers=who),
        await http.get(f"/v1/batches/{batch_id}", headers=who),
        await http.post(f"/v1/batches/{batch_id}/cancel", headers=who),
        await http.post("/v1/batches", json=body, headers=who),
    ]


async def test_anothers_files_and_batches_answer_exactly_like_none(serving: Serving, keys: GivenKeys) -> None:
    """By every call; and no list shows them."""
    owner, other = keys.give("owner"), keys.give("other")
    async with serving(keys=keys.path) as served, openai_on(served, api_key=owner["authorization"][7:]) as client:
        async with answering(served):
            ended = await until_ended(client, await make_batch(client, jsonl(chat_line(0))))
        assert ended.output_file_id
        unknown = await ask_all(served, f"file-{'0' * 32}", f"batch_{'0' * 32}", other)

        for file_id in (ended.input_file_id, ended.output_file_id):
            foreign = await ask_all(served, file_id, ended.id, other)
            assert [shown(each) for each in foreign] == [shown(each) for each in unknown]
        for path in ("/v1/files", "/v1/batches"):
            assert (await served.http.get(path, headers=other)).json()["data"] == []
            assert len((await served.http.get(path, headers=owner)).json()["data"]) == 1
