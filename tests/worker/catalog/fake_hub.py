"""A model hub on the loopback."""

import hashlib
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "c0ffee" + "0" * 34


class FakeHub:
    """As much of the hub's HTTP as a download needs: a repository's commit, its files, and each file."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.forbidden: set[str] = set()
        self.announced: dict[str, int] = {}  # sizes that are told, where they are not the true ones
        self.asked: list[str] = []  # as "GET /path"
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                hub.answer(self, body=True)

            def do_HEAD(self) -> None:
                hub.answer(self, body=False)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base class's name for it
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def answer(self, request: BaseHTTPRequestHandler, *, body: bool) -> None:
        """Answer one request."""
        path = request.path.partition("?")[0]
        self.asked.append(f"{request.command} {path}")
        if path.startswith("/api/models/org/model/tree/"):
            data = json.dumps([self._described(name) for name in self.files]).encode()
        elif path.startswith("/api/models/org/model"):
            files = [{"rfilename": name, "size": self.size(name)} for name in self.files]
            data = json.dumps({"id": "org/model", "sha": COMMIT, "siblings": files}).encode()
        elif (name := path.removeprefix(f"/org/model/resolve/{COMMIT}/")) in self.files and name not in self.forbidden:
            data = self.files[name]
        else:
            request.send_error(403 if name in self.forbidden else 404)
            return
        request.send_response(200)
        request.send_header("Content-Length", str(len(data)))
        request.send_header("ETag", f'"{hashlib.sha1(data).hexdigest()}"')
        request.send_header("X-Repo-Commit", COMMIT)
        request.end_headers()
        if body:
            request.wfile.write(data)

    def size(self, name: str) -> int:
        """The size that is told of a file."""
        return self.announced.get(name, len(self.files[name]))

    def _described(self, name: str) -> dict[str, object]:
        data = self.files[name]
        return {"type": "file", "path": name, "size": self.size(name), "oid": hashlib.sha1(data).hexdigest()}
