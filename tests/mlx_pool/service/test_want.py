"""What is wanted as a service, taken apart: flags that anybody may see, and what only the part may."""

import shlex
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlx_pool.failure import Unusable
from mlx_pool.service.command import split
from mlx_pool.service.env_file import decode_env, encode_env
from mlx_pool.service.place import manager_of
from mlx_pool.service.want import wanted, without_secrets


@pytest.mark.parametrize("flags", [["--redis", "redis://:s@h"], ["--redis=redis://:s@h"]])
def test_addresses_with_passwords_leave_the_command_line(flags: list[str]) -> None:
    """They become variables, as the part reads them."""
    kept, secrets = without_secrets(["--model", "m", *flags, "--slots", "4"])

    assert kept == ("--model", "m", "--slots", "4")
    assert secrets == {"MLX_POOL_REDIS_URL": "redis://:s@h"}


def test_what_the_part_would_have_here_it_has_there() -> None:
    """Its own variables, and those of what fetches models; nothing else of this shell's."""
    env = {"MLX_POOL_REDIS_URL": "redis://a", "HF_TOKEN": "t", "PATH": "/bin", "AWS_SECRET": "x"}

    want = wanted("worker", ["--redis", "redis://b"], None, env)

    assert want.env == {"HF_TOKEN": "t", "MLX_POOL_REDIS_URL": "redis://b"}
    assert want.name == "worker"


@pytest.mark.parametrize(
    ("part", "flags", "name", "said"),
    [
        (None, [], None, "What is to run"),
        ("chat", [], None, "can't be a service"),
        ("worker", [], None, "Which queue"),
        ("worker", ["--redis"], None, "value is missing"),
        ("up", [], "../x", "--name"),
    ],
)
def test_a_mistake_is_told_before_anything_is_written(part: str, flags: list[str], name: str, said: str) -> None:
    """Each with what would be right."""
    with pytest.raises(Unusable, match=said):
        wanted(part, flags, name, {"MLX_POOL_DATA": "/nowhere"})


def test_what_no_part_has_is_the_commands_wherever_it_stands() -> None:
    """Who writes --dry-run at the end of the line wants nothing done."""
    argv = ["install", "worker", "--model", "a", "--dry-run", "--user", "ada", "--redis", "b", "--json"]

    assert split(argv) == (
        ["install", "worker", "--dry-run", "--user", "ada", "--json"],
        ["--model", "a", "--redis", "b"],
    )


def test_what_stands_behind_the_part_is_the_parts() -> None:
    """A worker has a `--name` of its own."""
    argv = ["install", "--name", "worker", "--system", "worker", "--name", "mac-1", "--system"]

    assert split(argv) == (["install", "--name", "worker", "--system", "worker", "--system"], ["--name", "mac-1"])
    assert split(["logs", "worker", "-f"]) == (["logs", "worker", "-f"], [])


@given(st.dictionaries(st.from_regex(r"[A-Z_]{1,9}", fullmatch=True), st.text().filter(str.isprintable)))
def test_a_variable_is_read_as_it_was_written(env: dict[str, str]) -> None:
    """Quotes, backslashes, blanks, Korean: a password may have any sign."""
    assert decode_env(encode_env(env)) == env


def test_a_shell_reads_the_file_alike() -> None:
    """But for what a shell expands, systemd's rules for quotes are a shell's."""
    env = {"A": 'x "y" \\z', "B": "1 2"}

    told = subprocess.run(
        ["/bin/sh", "-c", f'{encode_env(env)}printf \'%s\\n\' "$A" "$B"'], capture_output=True, text=True, check=True
    )

    assert told.stdout.splitlines() == list(env.values())
    assert shlex.split(encode_env(env))[0] == f"A={env['A']}"


def test_a_line_end_in_a_variable_is_refused() -> None:
    """It would be another variable."""
    with pytest.raises(Unusable, match="MLX_POOL_X"):
        encode_env({"MLX_POOL_X": "a\nLD_PRELOAD=b"})


def test_platforms_without_a_manager_are_told_so() -> None:
    """Rather than failing at the first command."""
    with pytest.raises(Unusable, match="macOS and for Linux"):
        manager_of("win32")
