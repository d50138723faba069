"""Certificates made for a test: a CA, what it has signed, and one that it has not. `openssl` makes them."""

import shutil
import subprocess
from pathlib import Path

import pytest

from mlx_pool.failure import Unusable
from mlx_pool.up.broker import broker_binaries
from mlx_pool.up.certificate import kept_certificate
from mlx_pool.up.tls_program import tls_broker_binary

OPENSSL = shutil.which("openssl")
_EXTENSIONS = """\
basicConstraints=CA:FALSE
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid
subjectAltName=DNS:localhost,IP:127.0.0.1
"""


class Certificates:
    """Files in a folder: `ca.crt`, and for each name `<name>.crt` and `<name>.key`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ca = folder / "ca.crt"
        signs = ("-addext", "keyUsage=critical,keyCertSign")
        self._run("req", "-x509", *_new_key(folder / "ca.key"), "-subj", "/CN=test CA", "-out", self.ca, *signs)

    def issue(self, name: str) -> tuple[Path, Path]:
        """A certificate for this machine, and its key."""
        cert, key, request = (self.folder / f"{name}.{ending}" for ending in ("crt", "key", "csr"))
        extensions = self.folder / f"{name}.ext"
        extensions.write_text(_EXTENSIONS)
        self._run("req", "-new", *_new_key(key), "-subj", f"/CN={name}", "-out", request)
        signed = ("-CA", self.ca, "-CAkey", self.folder / "ca.key", "-CAcreateserial", "-extfile", extensions)
        self._run("x509", "-req", "-in", request, "-out", cert, "-days", "2", *signed)
        return cert, key

    def encrypted(self, key: Path) -> Path:
        """The same key behind a password."""
        path = key.with_suffix(".locked")
        self._run("ec", "-aes256", "-passout", "pass:secret", "-in", key, "-out", path)
        return path

    def _run(self, *words: str | Path) -> None:
        assert OPENSSL
        subprocess.run([OPENSSL, *words], check=True, capture_output=True)


def _new_key(path: Path) -> tuple[str | Path, ...]:
    return ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", path)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """A CA of the tests' own."""
    if OPENSSL is None:
        pytest.skip("openssl, which makes the certificates, is not installed")
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def tls_server(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A server's program on this machine that speaks TLS."""
    try:
        made = kept_certificate(tmp_path_factory.mktemp("tls") / "broker-tls.pem", "127.0.0.1")
        return tls_broker_binary(made, broker_binaries())
    except Unusable as error:
        pytest.skip(str(error))
