"""The command `mlx-pool bench`: put a load on the pool, and measure how it answers."""

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import msgspec
from cyclopts import Parameter
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from mlx_pool.arguments import JsonFlag, KeyFileFlag, UrlFlag, call
from mlx_pool.chat_client import connection_to
from mlx_pool.failure import Failed, Unusable
from mlx_pool.terminal import clean
from mlx_pool.where import Gateway, gateway
from shared.errors import CODES, REFUSED_CODES, Refused

from .figures import as_lines, figures_of
from .load import Order, Outcome, put_load


def run(argv: Sequence[str]) -> int:
    """Run the command."""
    return call(bench, argv, name="bench")


def bench(
    *,
    streams: Annotated[int, Parameter(help="How many requests are under way at once.")] = 8,
    requests: Annotated[int | None, Parameter(help="How many in all. [default: four a stream]")] = None,
    prompt_tokens: Annotated[int, Parameter(help="How long each prompt is, about.")] = 128,
    max_tokens: Annotated[int, Parameter(help="How long each answer is.")] = 64,
    same_prompt: Annotated[
        bool, Parameter(negative="", help="The same prompt each time, so that prompt caches serve it.")
    ] = False,
    model: Annotated[str | None, Parameter(help="Which model, where there are several.")] = None,
    url: UrlFlag = None,
    key_file: KeyFileFlag = None,
    as_json: JsonFlag = False,
) -> int:
    """Put a load on the pool over HTTP, and measure time to first token, gaps and tokens a second.

    It takes seats from others while it runs; Ctrl-C ends it, and shows what was measured by then. Exit code 0 when
    every request was answered.
    """
    order = Order(
        streams=streams,
        requests=4 * streams if requests is None else requests,
        prompt_tokens=prompt_tokens,
        max_tokens=max_tokens,
        model=model,
        is_same_prompt=same_prompt,
    )
    check_order(order)
    place = gateway(url, key_file, os.environ)
    connection_to(place.url)  # opens nothing; an address that is none ends it here
    outcome = _watched(place, order)
    if not outcome.samples:
        raise Failed("Nothing was measured: it was ended before the first answer.")
    figures = figures_of(outcome.samples, seconds=outcome.seconds)
    if not figures.done:
        raise _failure(next(iter(figures.failed)))
    sys.stdout.write(msgspec.json.encode(figures).decode() + "\n" if as_json else as_lines(figures))
    return 0 if outcome.is_whole and not figures.failed else 1


def _failure(why: str) -> Exception:
    """Tell why there is nothing to show: in the gateway's own code, where one answered."""
    if why == "invalid_api_key":
        return Refused(why, "An API key is needed.")
    if why in CODES:
        return (Unusable if why in REFUSED_CODES else Failed)(f"The gateway refused every request: {why}.")
    return Failed(f"No request was answered ({clean(why)}): is a pool running? `mlx-pool up` starts one.")


def check_order(order: Order) -> None:
    """Raise `Unusable` for a number that can't be meant."""
    for flag, value, most in (
        ("--streams", order.streams, 512),
        ("--requests", order.requests, 1_000_000),
        ("--prompt-tokens", order.prompt_tokens, 200_000),
        ("--max-tokens", order.max_tokens, 100_000),
    ):
        if not 1 <= value <= most:
            raise Unusable(f"{flag} {value}: expected 1 to {most:,}.")


def _watched(place: Gateway, order: Order) -> Outcome:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        row = bar.add_task(f"{order.streams} streams", total=order.requests)
        return put_load(place, order, lambda: bar.advance(row))
