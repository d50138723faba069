"""Reading a stream of the chat completions API, as other servers speak it: chunks of text, usage, `[DONE]`. Pure."""

import msgspec

from .recording import Broken, Piece, Recording, Story

_END = b"[DONE]"


class _Delta(msgspec.Struct, frozen=True):
    content: str | None = None


class _Choice(msgspec.Struct, frozen=True):
    delta: _Delta


class _Usage(msgspec.Struct, frozen=True):
    completion_tokens: int


class _Chunk(msgspec.Struct, frozen=True):
    choices: list[_Choice] = []
    usage: _Usage | None = None


_chunks = msgspec.json.Decoder(_Chunk)


def read_completion(recording: Recording) -> Story:
    """Read a stream. Only chunks with text are pieces: a role, or an empty last chunk, is nothing to a reader.

    Raises:
        Broken: it did not end as the API ends, or its tokens were not counted, as where an error came in mid-stream.

    """
    if not recording.lines or recording.lines[-1].data != _END:
        raise Broken(f"the stream ended with {recording.lines[-1:] or 'nothing'}")
    lines = recording.lines[:-1]
    chunks = [(line.at_ns, _chunks.decode(line.data)) for line in lines]
    usages = [chunk.usage for _, chunk in chunks if chunk.usage]
    if not usages:
        raise Broken(f"the stream tells no usage; its last chunks: {lines[-2:]}")
    texts = ((at_ns, choice.delta.content) for at_ns, chunk in chunks for choice in chunk.choices)
    pieces = [Piece(at_ns, text) for at_ns, text in texts if text]
    return Story(recording.asked_ns, recording.ended_ns, recording.reads, pieces, usages[-1].completion_tokens)
