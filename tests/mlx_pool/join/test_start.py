"""The address goes out of the command line before anything else."""

from mlx_pool.join.start import taken_out


def test_the_address_is_parted_from_the_other_words() -> None:
    """Wherever it stands; the rest is what others may read."""
    url = "redis://:secret@mac-1:6379/0"

    assert taken_out([url, "--model", "m"]) == (url, ("--model", "m"))
    assert taken_out(["--model", "m", url, "--stay"]) == (url, ("--model", "m", "--stay"))


def test_without_an_address_all_words_stay() -> None:
    """A flag that holds one is none of ours, and is refused by name later."""
    assert taken_out(["--stay"]) == (None, ("--stay",))
    assert taken_out(["--url=redis://x"]) == (None, ("--url=redis://x",))
