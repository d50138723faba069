import os
import signal
import subprocess
from collections.abc import Iterator

import pytest

from mlx_pool.up.process import Identity, end, identity_of, is_alive


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    """A process in a group of its own."""
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as process:
        yield process
        process.kill()


def identified(process: subprocess.Popen[bytes]) -> Identity:
    identity = identity_of(process.pid)
    assert identity is not None
    return identity


def test_a_process_is_known_again_until_it_dies(stranger: subprocess.Popen[bytes]) -> None:
    """An identity holds for one run; a zombie, which only waits to be counted, does not live."""
    identity = identified(stranger)
    assert is_alive(identity)

    stranger.kill()
    os.waitid(os.P_PID, stranger.pid, os.WEXITED | os.WNOWAIT)

    assert not is_alive(identity)


def test_where_there_is_no_proc_a_process_is_known_by_ps(stranger: subprocess.Popen[bytes]) -> None:
    """On a Mac, too, an identity is found again while its process lives, and is nobody's afterwards."""
    identity = identity_of(stranger.pid, system="darwin")
    assert identity is not None
    assert identity.started.count(":") == 2
    assert identity_of(stranger.pid, system="darwin") == identity

    stranger.kill()
    os.waitid(os.P_PID, stranger.pid, os.WEXITED | os.WNOWAIT)

    assert identity_of(stranger.pid, system="darwin") is None


def test_a_reused_pid_is_somebody_else(stranger: subprocess.Popen[bytes]) -> None:
    """Who has the pid of a process that we started earlier is never ended in its place."""
    earlier = Identity(stranger.pid, started="at another time")

    end(earlier, limit_s=1)

    assert stranger.poll() is None


def test_who_does_not_heed_the_signal_is_killed() -> None:
    """Nothing outlives its limit."""
    with subprocess.Popen(
        ["sh", "-c", "trap '' TERM; echo deaf; while :; do sleep 1; done"],
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as deaf:
        assert deaf.stdout is not None
        assert deaf.stdout.readline() == b"deaf\n"

        end(identified(deaf), limit_s=0.2)

        assert deaf.wait(5) == -signal.SIGKILL


def test_a_process_is_ended_with_what_it_started(stranger: subprocess.Popen[bytes]) -> None:
    """An engine goes with its worker."""
    with subprocess.Popen(
        ["sh", "-c", "sleep 60 & echo $!; wait"], stdout=subprocess.PIPE, start_new_session=True
    ) as parent:
        assert parent.stdout is not None
        child = identity_of(int(parent.stdout.readline()))
        assert child is not None

        end(identified(parent), limit_s=5)
        parent.wait(5)

        end(child, limit_s=5)
        assert not is_alive(child)
