"""The page's files: read once, served from memory, each under a policy that lets it load nothing from elsewhere."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from starlette.datastructures import Headers
from starlette.responses import Response

FOLDER = Path(__file__).parent / "static"
_UTF_8 = "; charset=utf-8"
_TYPES = {
    ".html": f"text/html{_UTF_8}",
    ".css": f"text/css{_UTF_8}",
    ".js": f"text/javascript{_UTF_8}",
    ".svg": f"image/svg+xml{_UTF_8}",
    "": f"text/plain{_UTF_8}",  # the licence
}
# What a model says is shown by nodes of text, never as HTML; were that to fail, this still runs and loads nothing.
POLICY = "; ".join(
    (
        *("default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "img-src 'self' data:"),
        *("base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"),
    )
)
HEADERS: Mapping[str, str] = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",  # kept, and asked about: an upgraded gateway's page is its own at once
}
# Browsers heed this where the page came by TLS or from this machine, and there they send `Sec-Fetch-Site`; elsewhere
# they complain of it.
_WHERE_TRUSTED: Mapping[str, str] = {"cross-origin-opener-policy": "same-origin"}


class Asset(NamedTuple):
    """A file as it is sent; `etag` is the same as long as its bytes are."""

    body: bytes
    media_type: str
    etag: str

    def answer(self, asked: Headers, more: Mapping[str, str] | None = None) -> Response:
        """The whole of it, or that the browser's copy is still right."""
        trusted: Mapping[str, str] = _WHERE_TRUSTED if "sec-fetch-site" in asked else {}
        headers = {**HEADERS, "etag": self.etag, **trusted, **(more or {})}
        if asked.get("if-none-match") == self.etag:
            return Response(status_code=304, headers=headers)
        return Response(self.body, headers=headers, media_type=self.media_type)


def read_assets(folder: Path = FOLDER) -> Mapping[str, Asset]:
    """All files below a folder, by their paths in it."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): _asset(path) for path in files}


def _asset(path: Path) -> Asset:
    body = path.read_bytes()
    return Asset(body, _TYPES[path.suffix], f'"{hashlib.sha256(body).hexdigest()[:32]}"')
