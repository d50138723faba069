"""One certificate and no other: a server known by the SHA-256 of what it shows, whatever its names, whoever signed it.

The check is the context's own, and ends the handshake: it holds for every connection that is made with it, by asyncio
or by a socket, before a byte of ours is sent. The handshake itself proves that the server has the certificate's key.
"""

import hashlib
import re
import ssl

_HEX = re.compile(r"[0-9a-f]{64}")


class WrongCertificate(ssl.SSLError):
    """The server has shown another certificate; its words are for people."""

    def __init__(self) -> None:
        super().__init__(
            ssl.SSL_ERROR_SSL,
            "Redis shows another certificate than the address names (ssl_pin): it is another pool than the one that is "
            "meant, or its certificate was made anew. Nothing was sent. Where the pool runs, `mlx-pool status --url` "
            "prints the right address.",
        )


class _PinnedContext(ssl.SSLContext):
    pin: str

    def check(self, shown: bytes | None) -> None:
        if shown is None or pin_of(shown) != self.pin:
            raise WrongCertificate


class _PinnedObject(ssl.SSLObject):
    def do_handshake(self) -> None:
        super().do_handshake()
        assert isinstance(self.context, _PinnedContext)
        self.context.check(self.getpeercert(binary_form=True))


class _PinnedSocket(ssl.SSLSocket):
    def do_handshake(self, block: bool = False) -> None:
        super().do_handshake(block)
        assert isinstance(self.context, _PinnedContext)
        self.context.check(self.getpeercert(binary_form=True))


def pin_of(certificate: bytes) -> str:
    """The name of a certificate, given in DER: the hex digits of its SHA-256."""
    return hashlib.sha256(certificate).hexdigest()


def pinned_context(pin: str) -> ssl.SSLContext:
    """What to speak TLS with to the server of this certificate. `openssl x509 -fingerprint -sha256` writes pins too.

    Raises:
        ValueError: that is no pin.

    """
    wanted = pin.replace(":", "").lower()
    if not _HEX.fullmatch(wanted):
        raise ValueError("ssl_pin: expected the 64 hex digits of a certificate's SHA-256")
    context = _PinnedContext(ssl.PROTOCOL_TLS_CLIENT)
    # What a CA and names would say is said by the pin, and more exactly.
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.sslobject_class, context.sslsocket_class = _PinnedObject, _PinnedSocket
    context.pin = wanted
    return context
