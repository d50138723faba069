"""What a script of the queue says to Redis, read out of its text: the commands, each with the kind of its key.

It knows Lua as far as these scripts use it: functions stand at the left edge, and end there.
"""

import itertools
import re
from collections.abc import Iterator

import msgspec

from shared import scripts

Said = tuple[str, str]  # a kind of key, "" for none, and a command

_CONTAINERS = {"XINFO", "XGROUP", "PUBSUB", "MEMORY"}
_KEYLESS = {"TIME", "INFO", "PUBSUB|NUMSUB"}
_CALL = re.compile(r"redis\.p?call\(")
_HEAD = re.compile(r"^local function (\w+)\(")
_PREFIXED = re.compile(r"T \.\. '(:[^']*)'(?: \.\. \w+ \.\. '(:\w+)')?")
# Where a record or a reply stream is named by a job that was read.
_BY_JOB = {"j.key": "job", "j.reply": "reply"}
_FAMILIES = {"charge": "key", "file_append": "bulk"}


class _Block(msgspec.Struct, frozen=True):
    """A function's lines, or the script's own."""

    text: str

    def local(self, name: str) -> str | None:
        """What a local variable is set to."""
        found = re.search(rf"local {name}(?:, \w+)* = (.*)", self.text)
        return found and _split(found[1])[0]


def said_by(script: str) -> frozenset[Said]:
    """All that this script can say, whatever it meets."""
    functions, main = _blocks(scripts.source(script))
    family = _FAMILIES.get(script, "bulk" if script.startswith("bulk_") else "")
    reached, ahead = {"": main}, [main]
    while ahead:
        block = ahead.pop()
        for name in functions.keys() - reached.keys():
            if re.search(rf"(?<![\w.]){name}\b", block.text):
                reached[name] = functions[name]
                ahead.append(functions[name])
    return frozenset(
        (f"{family}:{kind}" if family and kind else kind, command)
        for block in reached.values()
        for kind, command in _said_in(block, main, functions)
    )


def _blocks(source: str) -> tuple[dict[str, _Block], _Block]:
    functions: dict[str, list[str]] = {}
    main: list[str] = []
    inside: str | None = None
    for line in (line.partition("--")[0].rstrip() for line in source.splitlines()):
        if head := _HEAD.match(line):
            inside = str(head[1])
        (functions.setdefault(inside, []) if inside else main).append(line)
        if inside and (line == "end" or (head and line.endswith(" end"))):
            inside = None
    return {name: _Block("\n".join(lines)) for name, lines in functions.items()}, _Block("\n".join(main))


def _said_in(block: _Block, main: _Block, functions: dict[str, _Block]) -> Iterator[Said]:
    for call in _CALL.finditer(block.text):
        words = _split(_inside(block.text, call.end()))
        if packed := re.fullmatch(r"unpack\((\w+)\)", words[0]):
            words = _split((block.local(packed[1]) or "").strip("{}"))
        name = words[0].strip("'")
        if name in _CONTAINERS:
            name, words = f"{name}|{words[1].strip(chr(39))}", words[1:]
        for key in _keys(name, words):
            yield _kind(key, block, main, functions), name.lower()
        if name in _KEYLESS:
            yield "", name.lower()


def _keys(name: str, words: list[str]) -> list[str]:
    if name in _KEYLESS:
        return []
    if "'STREAMS'" in words:
        return [words[words.index("'STREAMS'") + 1]]
    return words[1:] if name == "DEL" else words[1:2]


def _kind(key: str, block: _Block, main: _Block, functions: dict[str, _Block]) -> str:
    if found := _PREFIXED.search(key):
        return (found[2] or found[1]).strip(":").replace("input:data", "data").partition(":")[0]
    if key in _BY_JOB:
        return _BY_JOB[key]
    if called := re.match(r"(\w+)\(", key):
        return _kind(functions[called[1]].text, block, main, functions)
    named = block.local(key) or main.local(key)
    assert named, f"{key} in {block.text}"
    return _kind(named, block, main, functions)


def _inside(text: str, at: int) -> str:
    """The text up to the parenthesis that closes the one before `at`."""
    depth = 1
    for end, sign in _signs(text[at:]):
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if depth == 0:
            return text[at : at + end]
    raise AssertionError(f"nothing closes {text[at:]}")


def _split(text: str) -> list[str]:
    """The words between commas that stand in no brackets."""
    begins, depth = [0], 0
    for at, sign in _signs(text):
        depth += {"(": 1, "{": 1, ")": -1, "}": -1}.get(sign, 0)
        if sign == "," and depth == 0:
            begins.append(at + 1)
    return [text[begin : end - 1].strip() for begin, end in itertools.pairwise([*begins, len(text) + 1])]


def _signs(text: str) -> Iterator[tuple[int, str]]:
    """What is punctuation: the signs that stand in no string."""
    is_string = False
    for at, sign in enumerate(text):
        is_string ^= sign == "'"
        if not is_string:
            yield at, sign
