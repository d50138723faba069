"""Why nothing answers, in words that say what to do."""

import pytest

from mlx_pool.join.reach import Knock, in_words, knock_at
from tests.ports import FreePort


@pytest.mark.parametrize(
    ("knock", "platform", "said"),
    [
        (Knock(host="mac-1", port=1, found="no name"), "darwin", "NAME.local"),
        (Knock(host="127.0.0.1", port=1, found="refused"), "linux", "this machine itself"),
        (Knock(host="mac-1", port=1, found="refused"), "linux", "--host 0.0.0.0"),
        (Knock(host="mac-1", port=1, found="no way", is_near=True), "darwin", "Local Network"),
        (Knock(host="mac-1", port=1, found="no way", is_near=True), "linux", "same network"),
        (Knock(host="vm", port=1, found="no way"), "darwin", "same network"),
        (Knock(host="mac-1", port=1, found="silent"), "linux", "firewall"),
    ],
)
def test_each_silence_has_its_words(knock: Knock, platform: str, said: str) -> None:
    """Only where macOS may be the one who says no is its switch named."""
    assert said in (in_words(knock, platform) or "")


def test_an_open_door_is_not_explained() -> None:
    """What Redis itself said tells more then."""
    assert in_words(Knock(host="mac-1", port=1, found="open"), "linux") is None


def test_a_knock_tells_what_it_found(free_port: FreePort) -> None:
    """Nobody listens, there is no such name, or there are several machines to ask."""
    refused, nameless = knock_at(f"redis://127.0.0.1:{free_port()}"), knock_at("redis://no-such-host.invalid:6379")

    assert refused is not None
    assert nameless is not None
    assert (refused.found, refused.is_near, nameless.found) == ("refused", True, "no name")
    assert knock_at("redis+sentinel://a:1,b:2/pool") is None
