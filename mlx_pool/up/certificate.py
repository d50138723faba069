"""The embedded broker's certificate: made once, kept, and known to others by its pin alone.

`openssl` makes it, which every Mac has and every Linux can have. It lasts ten years, though a pin asks no date.
"""

import re
import shutil
import socket
import ssl
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from mlx_pool.failure import Unusable
from shared.pin import pin_of

from .address import is_address, is_wildcard
from .broker import write_private

_DAYS: Final = "3650"
_BEGIN: Final = "-----BEGIN CERTIFICATE-----"
_DNS: Final = re.compile(r"[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63}){0,9}")
_WANTED: Final = """\
[req]
prompt = no
distinguished_name = subject
x509_extensions = extensions
[subject]
CN = mlx-pool
[extensions]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
subjectAltName = {names}
"""


class Certificate(msgspec.Struct, frozen=True):
    """A file with key and certificate in PEM, one never without the other; and the certificate's pin."""

    path: Path
    pin: str


def kept_certificate(path: Path, host: str) -> Certificate:
    """Give the certificate in this file, made on first use for this machine's names and for `host`.

    Beside it lies the certificate alone, for clients that want a file (`ssl_ca_certs`).

    Raises:
        Unusable: it can't be made, or what is there is none.

    """
    if not path.exists():
        _make(path, _names(host))
    path.chmod(0o600)
    try:
        shown = ssl.PEM_cert_to_DER_cert("".join(path.read_text().partition(_BEGIN)[1:]))
    except ValueError as error:
        raise Unusable(f"{path} holds no certificate: remove it, and the next start makes another one.") from error
    write_private(path.with_suffix(".crt"), ssl.DER_cert_to_PEM_cert(shown))
    return Certificate(path, pin_of(shown))


def _names(host: str) -> list[str]:
    own = socket.gethostname()
    given = [] if is_wildcard(host) else [host]
    hosts = dict.fromkeys(("localhost", own, f"{own.partition('.')[0]}.local", "127.0.0.1", "::1", *given))
    return [f"IP:{each}" if is_address(each) else f"DNS:{each}" for each in hosts if is_address(each) or _is_name(each)]


def _is_name(host: str) -> bool:
    return _DNS.fullmatch(host) is not None


def _make(path: Path, names: Iterable[str]) -> None:
    # In a folder that only its user can enter, and moved when it is whole: a half one would be taken for good.
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        wanted, key, scratch = (Path(folder) / name for name in ("wanted.cnf", "key.pem", "both.pem"))
        wanted.write_text(_WANTED.format(names=",".join(names)))
        key.write_bytes(_openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout"))
        files = ("-key", str(key), "-config", str(wanted))
        made = _openssl("req", "-new", "-x509", "-sha256", "-days", _DAYS, *files)
        scratch.write_bytes(key.read_bytes() + made)
        scratch.chmod(0o600)
        scratch.replace(path)


def _openssl(*words: str) -> bytes:
    program = shutil.which("openssl") or "/usr/bin/openssl"
    try:
        return subprocess.run([program, *words], check=True, capture_output=True, stdin=subprocess.DEVNULL).stdout  # noqa: S603 -- found on this machine, and words of our own
    except FileNotFoundError as error:
        raise Unusable("openssl is missing, which makes the certificate for --tls: apt install openssl.") from error
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise Unusable(f"openssl makes no certificate ({program}): {said}") from error
