"""TLS to Redis, as its URL says: `rediss://…?ssl_ca_certs=FILE&ssl_certfile=FILE&ssl_keyfile=FILE`, or `?ssl_pin=HEX`.

The names are those of redis-py, but for the pin's. The context is made here, once for all connections, and at once: a
file that is not there is a mistake to be told of, not a Redis that does not answer.
"""

import ssl
from collections.abc import Mapping

from .pin import WrongCertificate, pinned_context

_TRUST = ("ssl_ca_certs", "ssl_check_hostname", "ssl_cert_reqs")
OPTIONS = frozenset({*_TRUST, "ssl_certfile", "ssl_keyfile", "ssl_pin"})
_ON = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def tls_context(options: Mapping[str, str]) -> ssl.SSLContext:
    """What to speak TLS with: the server shows the pinned certificate, or one that this CA or the system's vouches for.

    Raises:
        ValueError: an option can't be meant, or a file can't be used; the message names it.

    """
    if unknown := sorted(name for name in options if name not in OPTIONS):
        raise ValueError(f"{unknown[0]} is no option of it; those of TLS are {', '.join(sorted(OPTIONS))}")
    pin = options.get("ssl_pin")
    context = _trusting(options) if pin is None else _pinned(pin, options)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _add_own_certificate(context, options)
    return context


def _pinned(pin: str, options: Mapping[str, str]) -> ssl.SSLContext:
    if others := [name for name in _TRUST if name in options]:
        raise ValueError(f"{others[0]} beside ssl_pin: the pin alone says which certificate is right")
    return pinned_context(pin)


def _trusting(options: Mapping[str, str]) -> ssl.SSLContext:
    context = _with_ca(options.get("ssl_ca_certs"))
    context.check_hostname = _flag(options, "ssl_check_hostname")
    match options.get("ssl_cert_reqs", "required"):
        case "required":
            pass
        case "none":
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        case other:
            raise ValueError(f"ssl_cert_reqs={other}: expected required or none")
    return context


def _with_ca(path: str | None) -> ssl.SSLContext:
    try:
        # With a CA of its own, no other is trusted.
        return ssl.create_default_context(cafile=path)
    except ssl.SSLError as error:
        raise ValueError(f"ssl_ca_certs={path}: no certificates in PEM") from error
    except OSError as error:
        raise ValueError(f"ssl_ca_certs={path}: {error.strerror}") from error


def _add_own_certificate(context: ssl.SSLContext, options: Mapping[str, str]) -> None:
    cert, key = options.get("ssl_certfile"), options.get("ssl_keyfile")
    if key and not cert:
        raise ValueError("ssl_keyfile: its certificate is missing, ssl_certfile")
    if not cert:
        return
    try:
        context.load_cert_chain(cert, key, password="")  # none: else the process would stand and ask for one
    except ssl.SSLError as error:
        raise ValueError(f"ssl_certfile={cert}: no certificate in PEM whose key, unencrypted, is there") from error
    except OSError as error:
        raise ValueError(f"ssl_certfile={cert}, ssl_keyfile={key}: {error.strerror}") from error


def _flag(options: Mapping[str, str], name: str) -> bool:
    text = options.get(name, "true").lower()
    if text not in _ON:
        raise ValueError(f"{name}={text}: expected true or false")
    return _ON[text]


def tls_failure(error: BaseException | None) -> ssl.SSLError | None:
    """The TLS error behind an error of the library's, which wraps it once or twice."""
    while error is not None and not isinstance(error, ssl.SSLError):
        error = error.__cause__ or error.__context__
    return error


def is_wrong_certificate(error: BaseException) -> bool:
    """Whether behind an error of ours stands a server that is not the pinned one."""
    return isinstance(tls_failure(error), WrongCertificate)
