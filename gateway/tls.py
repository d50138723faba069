"""TLS for the gateway's own port: the certificate and its key, out of files."""

import ssl

from shared.config import ConfigError


def tls_context(cert: str | None, key: str | None) -> ssl.SSLContext | None:
    """What the server speaks TLS with; None where no files are named: then it speaks none.

    Raises:
        ConfigError: one of the files is missing, or they are not what they should be.

    """
    if cert is None and key is None:
        return None
    if cert is None or key is None:
        raise ConfigError("--tls-cert and --tls-key: both files are needed, or neither")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    is_encrypted = False

    def no_password() -> str:
        nonlocal is_encrypted
        is_encrypted = True
        return ""  # else a process that nobody watches would stand and ask for one

    try:
        context.load_cert_chain(cert, key, no_password)
    except ssl.SSLError as error:
        said = "the key is encrypted; give one that is not" if is_encrypted else _said(error)
        raise ConfigError(f"--tls-cert {cert} --tls-key {key}: {said}") from error
    except OSError as error:
        raise ConfigError(f"--tls-cert {cert} --tls-key {key}: {error.strerror}") from error
    return context


def _said(error: ssl.SSLError) -> str:
    if error.reason == "KEY_VALUES_MISMATCH":
        return "the key is not this certificate's"
    return "these are no certificate and key in PEM"
