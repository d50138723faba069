"""`mlx-pool bulk` on a pool of real processes: a file in, its results out, whatever is restarted meanwhile."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Eventually

StartPool = Callable[..., Any]


def requests(path: Path, lines: int, **fields: Any) -> Path:
    """A file of chats, each with its own words."""
    asks = [{"messages": [{"role": "user", "content": f"word {number}"}], **fields} for number in range(lines)]
    told = [
        {"custom_id": str(number), "method": "POST", "url": "/v1/chat/completions", "body": ask}
        for number, ask in enumerate(asks)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in told))
    return path


def bulk(url: str, file: Path, *flags: str) -> "subprocess.Popen[str]":
    """The command, begun."""
    command = [sys.executable, "-m", "mlx_pool", "bulk", str(file), "--url", url, *flags]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def answers(path: Path) -> dict[str, str]:
    """What each line was answered; none twice."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert len({line["custom_id"] for line in lines}) == len(lines)
    return {line["custom_id"]: line["response"]["body"]["choices"][0]["message"]["content"] for line in lines}


@pytest.mark.parametrize("by", [signal.SIGTERM, pytest.param(signal.SIGKILL, marks=pytest.mark.long)])
async def test_a_file_is_run_though_its_gateway_is_restarted(
    start_pool: StartPool, tmp_path: Path, eventually: Eventually, by: signal.Signals
) -> None:
    """Every line has the answer that an undisturbed request gets; the command waits until the gateway is back."""
    file = requests(tmp_path / "asks.jsonl", 120, max_tokens=20, seed=7)
    async with start_pool(workers=2, slots=8, step_ms=10) as pool:
        command = bulk(pool.url, file)
        await eventually(lambda: completed(pool, 20), within=30)
        pool.restart_gateway(by)

        out, error = command.communicate(timeout=60)
        alone = (await pool.http.post("/v1/chat/completions", json=body_of(file, 99))).json()

    assert command.returncode == 0, error
    assert out == f"{tmp_path / 'asks.out.jsonl'}\n"
    told = answers(tmp_path / "asks.out.jsonl")
    assert len(told) == 120
    assert told["99"] == alone["choices"][0]["message"]["content"] != ""


def body_of(file: Path, number: int) -> dict[str, Any]:
    """What a line asks for."""
    return json.loads(file.read_text().splitlines()[number])["body"]


async def completed(pool: Any, least: int) -> bool:
    """Whether so many lines have their results."""
    batches = (await pool.http.get("/v1/batches")).json()["data"]
    return bool(batches) and batches[0]["request_counts"]["completed"] >= least


async def test_the_same_command_comes_back_to_its_batch(
    start_pool: StartPool, tmp_path: Path, eventually: Eventually
) -> None:
    """Interrupted, it leaves the batch running; afterwards it fetches what is there, and runs nothing again."""
    file = requests(tmp_path / "asks.jsonl", 60, max_tokens=30)
    async with start_pool(slots=4) as pool:
        first = bulk(pool.url, file)
        await eventually(lambda: completed(pool, 5), within=30)
        first.send_signal(signal.SIGINT)
        _, said = first.communicate(timeout=20)
        second = bulk(pool.url, file, "--out", str(tmp_path / "res.jsonl"))
        out, error = second.communicate(timeout=60)
        third = bulk(pool.url, file)
        third.communicate(timeout=20)

        assert (first.returncode, "same command" in said) == (1, True)
        assert (second.returncode, out) == (0, f"{tmp_path / 'res.jsonl'}\n"), error
        assert answers(tmp_path / "res.jsonl") == answers(tmp_path / "asks.out.jsonl")
        assert len((await pool.http.get("/v1/batches")).json()["data"]) == 1


async def test_what_failed_is_told_and_kept(start_pool: StartPool, tmp_path: Path) -> None:
    """In a file of its own, and by the exit code."""
    file = requests(tmp_path / "asks.jsonl", 2, temperature=99)
    async with start_pool(workers=1) as pool:
        command = bulk(pool.url, file)
        out, error = command.communicate(timeout=30)

    assert (command.returncode, out) == (1, f"{tmp_path / 'asks.errors.jsonl'}\n"), error
    lines = [json.loads(line) for line in (tmp_path / "asks.errors.jsonl").read_text().splitlines()]
    assert {line["response"]["body"]["error"]["param"] for line in lines} == {"temperature"}


@pytest.mark.parametrize(
    ("text", "said"), [(None, "can't be read"), ("hello\n", "is no request"), ("", "is no request")]
)
def test_what_is_no_file_of_requests_is_a_usage_error(tmp_path: Path, text: str | None, said: str) -> None:
    """Before any gateway is asked."""
    file = tmp_path / "asks.jsonl"
    if text is not None:
        file.write_text(text)

    command = bulk("http://127.0.0.1:1", file)
    _, error = command.communicate(timeout=20)

    assert command.returncode == 2
    assert said in error
    assert "Traceback" not in error


async def test_lines_of_one_name_are_told(start_pool: StartPool, tmp_path: Path) -> None:
    """The command fails with the gateway's reason; no line was run."""
    file = requests(tmp_path / "asks.jsonl", 3)
    file.write_text(file.read_text() + file.read_text().splitlines()[1] + "\n")
    async with start_pool() as pool:
        command = bulk(pool.url, file)
        out, error = command.communicate(timeout=30)

    assert (command.returncode, out) == (1, "")
    assert "line 4: `custom_id` '1' is that of line 2 already." in error
