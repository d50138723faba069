"""The embedded broker's own certificate, and who speaks TLS with it."""

import shutil
import ssl
import subprocess
from pathlib import Path

import pytest

from mlx_pool.failure import Unusable
from mlx_pool.up.certificate import kept_certificate
from mlx_pool.up.tls_program import speaks_tls, tls_broker_binary

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificates")


def test_a_certificate_is_made_once_and_kept(tmp_path: Path) -> None:
    """Who has its pin finds the pool again after a restart, whatever the machine is called by then."""
    first = kept_certificate(tmp_path / "broker-tls.pem", "0.0.0.0")
    second = kept_certificate(tmp_path / "broker-tls.pem", "192.0.2.7")

    assert first == second


def test_only_its_user_reads_the_key(tmp_path: Path) -> None:
    """Neither it nor anything on the way to it is left for others."""
    kept_certificate(tmp_path / "broker-tls.pem", "::")

    assert sorted(path.name for path in tmp_path.iterdir()) == ["broker-tls.crt", "broker-tls.pem"]
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
    assert "KEY" not in (tmp_path / "broker-tls.crt").read_text()


def test_the_pin_is_the_fingerprint_that_openssl_shows(tmp_path: Path) -> None:
    """Whoever doubts can look by other means, which also show the names for who checks those."""
    made = kept_certificate(tmp_path / "broker-tls.pem", "192.0.2.7")
    words = ("openssl", "x509", "-in", str(made.path), "-noout", "-fingerprint", "-sha256", "-text")

    shown = subprocess.run(words, check=True, capture_output=True, text=True).stdout

    assert made.pin in shown.replace(":", "").lower()
    assert "DNS:localhost" in shown
    assert "IP Address:192.0.2.7" in shown


def test_a_file_that_holds_none_is_told_of(tmp_path: Path) -> None:
    """It is not written over: it may be all that is left of something."""
    path = tmp_path / "broker-tls.pem"
    path.write_text("nothing")

    with pytest.raises(Unusable, match="holds no certificate"):
        kept_certificate(path, "127.0.0.1")
    assert path.read_text() == "nothing"


def test_where_no_broker_speaks_tls_the_words_say_which_does(tmp_path: Path) -> None:
    """One that ends at once, or is none, does not."""
    made = kept_certificate(tmp_path / "broker-tls.pem", "127.0.0.1")

    with pytest.raises(Unusable, match=r"brew install valkey, or apt install redis-server"):
        tls_broker_binary(made, [str(shutil.which("false"))])


def test_a_broker_that_speaks_tls_is_seen_to_do_so(tls_server: str, tmp_path: Path) -> None:
    """By its own handshake, with the very certificate."""
    made = kept_certificate(tmp_path / "broker-tls.pem", "127.0.0.1")

    assert speaks_tls(tls_server, made)
    assert ssl.PEM_cert_to_DER_cert(made.path.with_suffix(".crt").read_text())
