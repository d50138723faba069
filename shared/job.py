"""A job: what is asked of a model, and how it is to be delivered. The same body over HTTP and on the stream.

Parsed once, at the edge, into frozen structs; whatever is wrong becomes a `Refused` that names the field. Bounds stand
on the fields themselves, so nothing is allocated for a value out of range. Plain data: no redis, no HTTP, no model.
"""

import hashlib
import re
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from .choices import choices_at
from .errors import Refused
from .grammar import Form, Grammar, ResponseFormat, form_of
from .tools import MAX_ID_CHARACTERS, MAX_TOOLS, NamedTool, PastCall, Tool, ToolChoice, arguments_in, check_tools

MAX_BODY_BYTES = 1 << 20
MAX_TIMEOUT_MS = 3_600_000
DEFAULT_TIMEOUT_MS = 300_000
MAX_LOGPROBS = 20
JOB_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
# A direct job's default id is its entry's: anybody could guess it, so over HTTP it is as unknown as any other.
GUESSABLE_ID = re.compile(r"[a-z]+-[0-9]+-[0-9]+")

PROMPT_FIELDS = ("prompt", "messages", "tokens")

JobClass = Literal["hi", "std", "lo"]
Kind = Literal["chat", "text", "count"]
TokenId = Annotated[int, Meta(ge=0, le=2**31 - 1)]
TokenIdText = Annotated[str, Meta(pattern=r"^[0-9]{1,9}$")]
Affinity = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$")]


class Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str | None = None  # only a turn that made calls needs none
    name: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    tool_calls: Annotated[list[PastCall], Meta(min_length=1, max_length=128)] | None = None
    tool_call_id: Annotated[str, Meta(min_length=1, max_length=MAX_ID_CHARACTERS)] | None = None  # what this answers


class TemplateKwargs(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The chat-template arguments that a request may set; a template itself never comes from a request."""

    enable_thinking: bool | None = None
    reasoning_effort: Literal["minimal", "low", "medium", "high"] | None = None


class Ask(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is asked of the model: exactly one of `prompt`, `messages`, `tokens`, and how to sample.

    Order of sampling, as in llama.cpp: penalties and bias, top_k, top_p, min_p, temperature.
    """

    prompt: Annotated[str, Meta(min_length=1)] | None = None  # one user message, templated; as it is with kind=text
    messages: Annotated[list[Message], Meta(min_length=1, max_length=1_024)] | None = None
    tokens: Annotated[list[TokenId], Meta(min_length=1, max_length=1_000_000)] | None = None  # never templated
    kind: Kind = "chat"
    max_tokens: Annotated[int, Meta(ge=1, le=1_000_000)] = 512
    temperature: Annotated[float, Meta(ge=0, le=5)] = 0.7  # 0 is greedy
    top_p: Annotated[float, Meta(gt=0, le=1)] = 0.95
    top_k: Annotated[int, Meta(ge=0, le=1_024)] = 40  # 0 keeps all
    min_p: Annotated[float, Meta(ge=0, le=1)] = 0.0
    repeat_penalty: Annotated[float, Meta(gt=0, le=10)] = 1.1  # 1 is none
    repeat_last_n: Annotated[int, Meta(ge=0, le=4_096)] = 64  # how many recent tokens every penalty looks at
    presence_penalty: Annotated[float, Meta(ge=-2, le=2)] = 0.0
    frequency_penalty: Annotated[float, Meta(ge=-2, le=2)] = 0.0
    logit_bias: Annotated[dict[TokenIdText, Annotated[float, Meta(ge=-100, le=100)]], Meta(max_length=300)] | None = (
        None
    )
    seed: Annotated[int, Meta(ge=0, le=2**63 - 1)] | None = None
    stop: (
        Annotated[str, Meta(min_length=1, max_length=256)]
        | Annotated[list[Annotated[str, Meta(min_length=1, max_length=256)]], Meta(max_length=16)]
        | None
    ) = None
    min_tokens: Annotated[int, Meta(ge=0, le=1_000_000)] = 0  # no end of turn before so many
    logprobs: Annotated[int, Meta(ge=0, le=MAX_LOGPROBS)] | None = None  # how many alternatives to tell; None: nothing
    template_kwargs: TemplateKwargs | None = None
    tools: Annotated[list[Tool], Meta(min_length=1, max_length=MAX_TOOLS)] | None = None
    tool_choice: ToolChoice | None = None  # None is auto
    parallel_tool_calls: bool = True  # False: the answer ends with its first call
    response_format: ResponseFormat | None = None
    grammar: Grammar | None = None

    @property
    def form(self) -> Form | None:
        """What the answer's text must look like; None: anything. `Refused` where that is no sound demand."""
        return form_of(self.response_format, self.grammar)

    @property
    def prompt_field(self) -> str:
        """The name of the field that the prompt came in, for who has to complain of it."""
        return next(name for name in PROMPT_FIELDS if getattr(self, name) is not None)

    @property
    def stops(self) -> tuple[str, ...]:
        """The stop strings, whichever of its two shapes the field has."""
        if self.stop is None:
            return ()
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop)

    @property
    def must_call(self) -> bool:
        """Whether the answer has to be a call."""
        return self.tool_choice == "required" or isinstance(self.tool_choice, NamedTool)

    @property
    def has_one_call(self) -> bool:
        """Whether a call, if one is made, is the answer's end."""
        return not self.parallel_tool_calls or isinstance(self.tool_choice, NamedTool)

    @property
    def has_strict_calls(self) -> bool:
        """Whether the arguments of some tool are to be valid, if it is called."""
        return any(tool.function.strict for tool in self.offered)

    @property
    def offered(self) -> list[Tool]:
        """The tools that the model is told of: with `tool_choice` none it is told of none."""
        return [] if self.tool_choice == "none" else self.tools or []


class Job(Ask, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, rename={"class_": "class"}):
    """A request as enqueued, immutable: an `Ask` and how it is to be delivered."""

    model: Annotated[str, Meta(min_length=1, max_length=256)] | None = None  # None: the only one, or the default
    id: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$")] | None = None  # idempotent: the same id runs once
    class_: JobClass = "std"
    timeout_ms: Annotated[int, Meta(ge=1, le=MAX_TIMEOUT_MS)] | None = None
    background: bool = False  # runs whether anyone listens or not
    linger_ms: Annotated[int, Meta(ge=0, le=MAX_TIMEOUT_MS)] | None = (
        None  # how long to run on after the last client left
    )
    affinity: Affinity | None = None  # jobs of one name like the same worker
    stream: bool = True


_DECODER = msgspec.json.Decoder(Job)
_ENCODER = msgspec.json.Encoder()
_DEFAULTS = {field.name: field.default for field in msgspec.structs.fields(Job)}
_UNKNOWN_FIELD = re.compile(r"unknown field `([^`]*)`")
_MISSING_FIELD = re.compile(r"missing required field `([^`]*)`")
_PATH = re.compile(r" - at `(?:key` in `)?\$\.?([^`]*)`$")


def parse_job(body: bytes | str) -> Job:
    """Parse a job's body, or raise `Refused` naming the first field that is wrong."""
    try:
        job = _DECODER.decode(body)
    except msgspec.ValidationError as error:
        raise refusal_of(error, Job) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refused("invalid_json", f"The body is not valid JSON: {error}.") from error
    except RecursionError as error:
        raise Refused("invalid_value", "The body is nested too deeply.") from error
    check_ask(job)
    return job


def encode_job(job: Job) -> bytes:
    """Encode a job as its body for the stream, defaults left out: equal jobs give equal bytes."""
    # msgspec leaves a field out when it holds the default object itself; 0.7 as a client wrote it is another one.
    defaults = {name: value for name, value in _DEFAULTS.items() if getattr(job, name) == value}
    return _ENCODER.encode(msgspec.structs.replace(job, **defaults))


def check_ask(ask: Ask) -> None:
    """Raise `Refused` for what no single field's bounds can say."""
    given = [name for name in PROMPT_FIELDS if getattr(ask, name) is not None]
    if not given:
        raise Refused("missing_field", "One of `prompt`, `messages` or `tokens` is needed.", param="prompt")
    if len(given) > 1:
        raise Refused(
            "invalid_value",
            f"Only one of `prompt`, `messages` and `tokens` may be given, not {' and '.join(given)}.",
            param=given[1],
        )
    if ask.kind == "text" and ask.messages is not None:
        raise Refused(
            "invalid_value", "`kind` text takes `prompt` or `tokens`: messages need a chat template.", param="kind"
        )
    if ask.min_tokens > ask.max_tokens:
        raise Refused("invalid_value", "`min_tokens` is above `max_tokens`.", param="min_tokens")
    check_tools(ask.tools or [], ask.tool_choice)
    if ask.tools and (ask.kind == "text" or ask.tokens is not None):
        raise Refused("invalid_value", "`tools` need a chat template to be told in.", param="tools")
    for at, message in enumerate(ask.messages or ()):
        _check_message(message, f"messages[{at}]")
    form_of(ask.response_format, ask.grammar)


def _check_message(message: Message, path: str) -> None:
    if message.content is None and not message.tool_calls:
        raise Refused("missing_field", f"`{path}.content` is missing.", param=f"{path}.content")
    if message.tool_calls and message.role != "assistant":
        raise Refused("invalid_value", "Only the assistant makes calls.", param=f"{path}.tool_calls")
    if message.tool_call_id and message.role != "tool":
        raise Refused("invalid_value", "Only a tool answers a call.", param=f"{path}.tool_call_id")
    for at, call in enumerate(message.tool_calls or ()):
        arguments_in(call, f"{path}.tool_calls[{at}]")


def refusal_of(error: msgspec.ValidationError, kind: type | None = None) -> Refused:
    """Translate msgspec's message, which is the only place where it names the field; `kind` is what was to be read."""
    text = str(error)
    path_match = _PATH.search(text)
    path = path_match.group(1) if path_match else ""
    if unknown := _UNKNOWN_FIELD.search(text):
        field = f"{path}.{unknown.group(1)}" if path else unknown.group(1)
        return Refused("unknown_field", f"Unknown field `{field}`.", param=field)
    if missing := _MISSING_FIELD.search(text):
        field = f"{path}.{missing.group(1)}" if path else missing.group(1)
        return Refused("missing_field", f"`{field}` is missing.", param=field)
    said = _PATH.sub("", text)
    if kind and said.startswith(("Invalid enum value", "Invalid value")) and (choices := choices_at(kind, path)):
        said += f"; known: {', '.join(choices)}"
    return Refused("invalid_value", f"`{path}`: {said}." if path else f"{said}.", param=path or None)


def queue_tag(model: str) -> str:
    """The eight hex digits by which a job's id names its queue."""
    return hashlib.sha256(model.encode()).hexdigest()[:8]


def seed_of(job_id: str) -> int:
    """The seed of a job that names none: the same for every attempt, in 0..2^63-1."""
    return int.from_bytes(hashlib.sha256(job_id.encode()).digest()[:8], "big") >> 1
