"""What one `up` is made of, settled before anything starts: model, queue, secrets, and the files they lie in."""

import contextlib
from collections.abc import Mapping
from pathlib import Path

import msgspec

from mlx_pool.data_folder import DataFolder
from mlx_pool.key_store import KeyStore, keys_file

from .address import pick_port
from .broker import broker_binaries, broker_binary, broker_config, write_private
from .certificate import Certificate, kept_certificate
from .plan import Flags, broker_hosts, broker_url, chosen_model
from .secret import kept_secret
from .tls_program import tls_broker_binary


class EmbeddedBroker(msgspec.Struct, frozen=True):
    """The broker that `up` brings along."""

    binary: str
    folder: Path  # where its data lies
    config: Path
    port: int
    url: str


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the rest of `up` only reads."""

    flags: Flags
    folder: DataFolder
    env: dict[str, str]
    model: str
    redis_url: str
    broker: EmbeddedBroker | None  # None: the queue is somebody else's
    key_file: Path | None  # the key of this machine's own commands; None: no key is asked for, on loopback only
    keys_file: Path | None  # the keys that were given out; None likewise

    @property
    def api_key(self) -> str | None:
        """The key that the gateway asks for."""
        return None if self.key_file is None else kept_secret(self.key_file)


def settle(flags: Flags, folder: DataFolder, env: Mapping[str, str]) -> Setting:
    """Settle it: makes the secrets and the broker's configuration file; opens nothing, and starts nothing that stays.

    Raises:
        Unusable: there is no broker's program, or none that speaks TLS where that is wanted.

    """
    broker = None if flags.redis else _embedded_broker(flags, folder)
    keys = KeyStore(keys_file(folder, env))
    has_keys = flags.is_open or keys.path.exists()
    if has_keys:
        keys.create()  # so that the gateway sees the first key that is given out
    return Setting(
        flags=flags,
        folder=folder,
        env=dict(env),
        model=chosen_model(flags, env),
        redis_url=broker.url if broker else flags.redis or "",
        broker=broker,
        key_file=_api_key_file(folder) if has_keys else None,
        keys_file=keys.path if has_keys else None,
    )


def _embedded_broker(flags: Flags, folder: DataFolder) -> EmbeddedBroker:
    certificate = kept_certificate(folder.secrets / "broker-tls.pem", flags.host) if flags.tls else None
    binary = broker_binary() if certificate is None else tls_broker_binary(certificate, broker_binaries())
    port = _kept_port(folder.broker / "port", flags.host)
    password = kept_secret(folder.secrets / "broker-password")
    data = _data_folder(folder, certificate)
    config = data / "valkey.conf"
    write_private(
        config,
        broker_config(
            port=port,
            hosts=broker_hosts(flags.host),
            password=password,
            folder=data,
            certificate=certificate.path if certificate else None,
        ),
    )
    url = broker_url("127.0.0.1", port, password, pin=certificate.pin if certificate else None)
    return EmbeddedBroker(binary, data, config, port, url)


def _data_folder(folder: DataFolder, certificate: Certificate | None) -> Path:
    if certificate is None:
        return folder.broker
    # Of its own: one program does not read what a newer one, or another make, has written.
    data = folder.broker / "tls"
    data.mkdir(mode=0o700, exist_ok=True)
    return data


def _kept_port(path: Path, host: str) -> int:
    # The port of the last run where it is still free: machines that joined find the queue again after a restart.
    last: int | None = None
    with contextlib.suppress(OSError, ValueError):
        last = int(path.read_text())
    port = pick_port(host, last)
    path.write_text(f"{port}\n")
    return port


def _api_key_file(folder: DataFolder) -> Path:
    path = folder.secrets / "api-key"
    kept_secret(path)
    return path
