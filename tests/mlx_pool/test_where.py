"""Where the pool is, and the key that its gateway asks for."""

from pathlib import Path

import pytest

from mlx_pool.failure import Unusable
from mlx_pool.where import gateway


def test_a_key_is_one_word_of_its_file(tmp_path: Path) -> None:
    """The line's end is none of it."""
    (tmp_path / "key").write_text("mlxp_abc\n")

    assert gateway("http://h:1", tmp_path / "key", {}).key == "mlxp_abc"


@pytest.mark.parametrize("text", [b"", b"a\nb", b"a b", b"\xff\xfe", "ключ".encode()])
def test_a_file_that_holds_no_key_is_refused_by_its_name(tmp_path: Path, text: bytes) -> None:
    """Somebody named the wrong file: that is said at once, and nothing of it is sent or shown."""
    (tmp_path / "key").write_bytes(text)

    with pytest.raises(Unusable, match="holds no key"):
        gateway("http://h:1", tmp_path / "key", {})
