from pathlib import Path

from mlx_pool.up.secret import kept_secret


def test_a_secret_is_made_once_and_kept(tmp_path: Path) -> None:
    """Machines that joined with a password find it unchanged after a restart."""
    first = kept_secret(tmp_path / "password")

    assert len(first) == 48
    assert kept_secret(tmp_path / "password") == first


def test_a_secret_is_for_its_user_alone(tmp_path: Path) -> None:
    """The file's mode is 600, also where somebody had opened it up."""
    path = tmp_path / "password"
    kept_secret(path)
    path.chmod(0o644)

    kept_secret(path)

    assert path.stat().st_mode & 0o777 == 0o600


def test_an_empty_secret_is_no_secret(tmp_path: Path) -> None:
    """A file that was made on a full disk does not become an empty password."""
    (tmp_path / "password").touch()

    assert len(kept_secret(tmp_path / "password")) == 48
