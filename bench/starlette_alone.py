"""`python -m bench.starlette_alone --port P`: Starlette on uvicorn streaming a pool's bytes with no pool behind it.

The measure of what the web server itself costs: same library, same event loop, same frames, one write an event.
"""

import argparse
import asyncio
from collections.abc import AsyncIterator

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

_STARTED = (
    b'{"status":"started","seq":1,"id":"f4e1a209-7b252a57bdb69a658ae0732e30519d9b","model":"scripted","attempt":1}'
)
_TOKEN = b'{"status":"token","seq":%d,"content":"\xec\x95\x88 a"}'
_DONE = b'{"status":"done","seq":%d,"reason":"length","usage":{"prompt_tokens":5,"completion_tokens":%d}}'


def make_app(step_s: float) -> Starlette:
    """An app whose every stream gets an event each `step_s`, or as fast as they are taken."""

    async def chat(request: Request) -> StreamingResponse:
        job = await request.json()
        is_sse = "text/event-stream" in request.headers.get("accept", "")
        return StreamingResponse(
            _frames(job["max_tokens"], step_s, is_sse=is_sse),
            media_type="text/event-stream" if is_sse else "application/x-ndjson",
        )

    return Starlette(routes=[Route("/chat", chat, methods=["POST"])])


async def _frames(tokens: int, step_s: float, *, is_sse: bool) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    frame = _sse if is_sse else _ndjson
    due = loop.time()
    yield frame(1, _STARTED)
    for seq in range(2, tokens + 2):
        due += step_s
        if (left := due - loop.time()) > 0:
            await asyncio.sleep(left)
        yield frame(seq, _TOKEN % seq)
    yield frame(tokens + 2, _DONE % (tokens + 2, tokens))


def _ndjson(_: int, data: bytes) -> bytes:
    return data + b"\n"


def _sse(seq: int, data: bytes) -> bytes:
    return b"id: %d-%d-%08x\ndata: %b\n\n" % (seq, seq, seq, data)


def main() -> None:
    """Serve until a signal."""
    parser = argparse.ArgumentParser(prog="python -m bench.starlette_alone")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--step-ms", type=float, default=0.0)
    flags = parser.parse_args()
    app = make_app(flags.step_ms / 1_000)
    uvicorn.run(app, port=flags.port, loop="uvloop", http="httptools", access_log=False, log_level="warning")


if __name__ == "__main__":
    main()
