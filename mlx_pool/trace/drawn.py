"""What is told of a job, as a line for a person: plain functions on values."""

from typing import Final

from mlx_pool.job import stamp
from mlx_pool.terminal import Colour, clean
from shared.life import Life

from .moment import Moment, What, Whole

COLOURS: Final[dict[What, Colour]] = {
    "waiting": "dim",
    "tokens": "dim",
    "silence": "yellow",
    "given_back": "yellow",
    "done": "green",
    "error": "red",
    "cancelled": "yellow",
}


def head(life: Life) -> str:
    """Name the job."""
    whose = f", tenant {clean(life.tenant)}" if life.tenant else ""
    return f"job {life.id}: {clean(life.model)}, class {clean(life.job_class)}{whose}"


def line(moment: Moment, began_ms: int | None) -> str:
    """Draw a moment: when it was, and what."""
    return f"{stamp(moment.at_ms, began_ms, digits=3)} {_words(moment)}"


def last_line(whole: Whole) -> str:
    """Draw where the time went."""
    parts = [f"waited {_s(whole.waited_ms)}" if whole.waited_ms is not None else ""]
    if whole.prefill_ms is not None and whole.tokens_ms is not None:
        rate = f" ({whole.tokens * 1_000 / whole.tokens_ms:.1f}/s)" if whole.tokens_ms else ""
        parts += [f"prefill {_s(whole.prefill_ms)}", f"tokens {_s(whole.tokens_ms)}{rate}"]
    elif whole.ran_ms is not None:
        parts.append(f"ran {_s(whole.ran_ms)}")
    parts.append(f"between workers {_s(whole.between_ms)}" if whole.between_ms else "")
    parts.append(f"longest gap {_s(whole.longest_gap_ms)}" if whole.longest_gap_ms else "")
    total = f"{_s(whole.total_ms)} in all" if whole.total_ms is not None else "in all"
    return f"{total}, {whole.attempts} attempt(s), {whole.tokens} tokens: {', '.join(filter(None, parts))}"


def _words(moment: Moment) -> str:
    took, worker = moment.took_ms, clean(moment.worker)
    match moment.what:
        case "queued":
            said = "queued"
        case "waiting":
            said = f"waits, {moment.before} before it" if moment.before else "waits, and is next"
        case "claimed":
            said = f"claimed by {worker}, attempt {moment.attempt}{_after('waited', took)}"
        case "started":
            said = f"prefill: {clean(moment.note)}"
        case "first_token":
            said = f"first token{', about' if moment.is_about else ''}{_after('after', took)}{_gap(moment)}"
        case "tokens":
            said = f"{moment.tokens} tokens, {moment.tokens_per_s or 0:.1f}/s{_after('longest gap', moment.gap_ms)}"
        case "silence":
            said = f"silent for {_s(moment.gap_ms or 0)} after {moment.tokens} tokens, at {worker}"
        case "given_back":
            said = f"handed over by {worker} after {moment.tokens} tokens{_gap(moment)}"
        case "done" | "error" | "cancelled":
            said = f"{moment.what}: {clean(moment.note)}, {moment.tokens} tokens{_after('in', took)}"
    return said


def _gap(moment: Moment) -> str:
    return f", {_s(moment.gap_ms)} behind the last one" if moment.gap_ms is not None else ""


def _after(word: str, took_ms: int | None) -> str:
    return "" if took_ms is None else f", {word} {_s(took_ms)}"


def _s(milliseconds: int) -> str:
    return f"{milliseconds / 1_000:.3f} s"
