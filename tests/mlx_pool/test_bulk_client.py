"""Files of bulk work over HTTP: whole, or not at all."""

import socket
import threading
from http.client import IncompleteRead
from pathlib import Path

import pytest

from mlx_pool.bulk_client import BulkClient
from mlx_pool.where import Gateway


def test_results_that_break_off_are_no_results(tmp_path: Path) -> None:
    """A gateway that dies while it sends a file leaves nothing that looks like one."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def break_off() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1 << 16)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + b'{"custom_id":"1"}\n')

        gateway = threading.Thread(target=break_off)
        gateway.start()
        client = BulkClient(Gateway(f"http://127.0.0.1:{server.getsockname()[1]}", None))

        with pytest.raises(IncompleteRead):
            client.download("file-1", tmp_path / "out.jsonl")
        gateway.join()

    assert not (tmp_path / "out.jsonl").exists()
