"""Where a reply of the Redis protocol (RESP2) ends, so that a proxy can let single messages fall. Pure."""

_MESSAGE = b"*3\r\n$7\r\nmessage\r\n"


def split_replies(data: bytes) -> tuple[list[bytes], bytes]:
    """Cut a server's bytes into whole replies and the rest, which is the beginning of the next one."""
    replies: list[bytes] = []
    at = 0
    while (end := _end_of(data, at)) is not None:
        replies.append(data[at:end])
        at = end
    return replies, data[at:]


def is_message(reply: bytes) -> bool:
    """Whether it is a message of pub/sub: what Redis may lose without a word."""
    return reply.startswith(_MESSAGE)


def _end_of(data: bytes, at: int) -> int | None:
    """Where the reply that begins at `at` ends; None when it is not all there."""
    newline = data.find(b"\r\n", at)
    if newline < 0:
        return None
    kind, end = data[at : at + 1], newline + 2
    if kind not in {b"$", b"*"}:
        return end
    count = int(data[at + 1 : newline])
    if kind == b"$":
        end += count + 2 if count >= 0 else 0
        return end if end <= len(data) else None
    for _ in range(max(count, 0)):
        inner = _end_of(data, end)
        if inner is None:
            return None
        end = inner
    return end
