"""The page's files as they are served, to whoever asks and before anybody has a key."""

import re
from pathlib import Path

import pytest

from gateway.page.assets import FOLDER, POLICY, read_assets
from tests.gateway.conftest import Serving
from tests.gateway.hand import refusal

HTML = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
OWN = [path for path in sorted(FOLDER.rglob("*")) if path.is_file() and path.parent.name != "vendor"]
MOST_BYTES = 200 * 1_024


async def test_a_browser_gets_the_page_and_a_script_the_routes(serving: Serving) -> None:
    """By what is asked for: HTML, or anything."""
    async with serving() as served:
        page, text = await served.http.get("/", headers=HTML), await served.http.get("/")

        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert "<title>mlx-pool</title>" in page.text
        assert text.headers["content-type"].startswith("text/plain")
        assert "/chat/{id}" in text.text
        assert page.headers["vary"] == text.headers["vary"] == "accept"


async def test_nothing_may_be_loaded_from_elsewhere(serving: Serving) -> None:
    """Neither by the page nor around it: a policy, no sniffing, no referrer, no frame."""
    async with serving() as served:
        for path in ("/", "/page/main.js", "/page/page.css", "/page/vendor/uPlot.iife.min.js"):
            headers = (await served.http.get(path, headers=HTML)).headers
            assert headers["content-security-policy"] == POLICY
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "no-referrer"

    assert "default-src 'none'" in POLICY
    assert "frame-ancestors 'none'" in POLICY
    assert "unsafe" not in POLICY


async def test_other_windows_are_kept_away_where_a_browser_heeds_that(serving: Serving) -> None:
    """Over plain HTTP from another machine a browser would only complain of that header; it tells by its own."""
    async with serving() as served:
        trusted = await served.http.get("/", headers={**HTML, "sec-fetch-site": "none"})
        plain = await served.http.get("/", headers=HTML)

    assert trusted.headers["cross-origin-opener-policy"] == "same-origin"
    assert "cross-origin-opener-policy" not in plain.headers


async def test_a_key_is_typed_into_the_page_so_the_page_needs_none(serving: Serving) -> None:
    """Its files do; all that it shows does not."""
    async with serving(key="s3cret") as served:
        for path in ("/", "/page/main.js"):
            assert (await served.http.get(path, headers=HTML)).status_code == 200
        for path in ("/pool/events", "/pool/dead", "/pool/jobs/x", "/page", "/pages/main.js"):
            assert refusal(await served.http.get(path))[:2] == (401, "invalid_api_key")


@pytest.mark.parametrize("name", ["none.js", "../shell.py", "%2e%2e/shell.py", "vendor", "/etc/passwd"])
async def test_there_are_no_other_files(serving: Serving, name: str) -> None:
    """Only what lies in the page's folder has a name."""
    async with serving() as served:
        assert refusal(await served.http.get(f"/page/{name}"))[0] == 404


async def test_a_copy_that_is_still_right_is_not_sent_again(serving: Serving) -> None:
    """The second visit costs heads only."""
    async with serving() as served:
        first = await served.http.get("/page/pool.js")
        again = await served.http.get("/page/pool.js", headers={"if-none-match": first.headers["etag"]})

        assert (again.status_code, again.content) == (304, b"")


def test_the_page_is_small() -> None:
    """All of it, plots included."""
    assert sum(len(asset.body) for asset in read_assets().values()) <= MOST_BYTES


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.name)
def test_no_file_makes_html_of_text_or_names_another_host(path: Path) -> None:
    """Nodes are made, text is put into them; URLs are relative, so that a path before them does no harm."""
    text = path.read_text("utf-8")

    assert not re.findall(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|DOMParser", text
    )
    assert not re.findall(r"\sstyle=|\son[a-z]+=\"", text) or path.suffix == ".js"
    assert not re.findall(r"(?:src|href)=\"/|fetch\(\"/|from \"/", text)
    hosts = set(re.findall(r"https?://([A-Za-z0-9.-]+)", text))
    assert hosts <= {"www.w3.org"}
