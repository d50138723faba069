"""The pages as a site: `make docs` builds it, and whoever reads it asks nobody else for anything."""

import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from .source import ROOT

# What makes a browser fetch by itself; a link in `a` waits to be followed, a form to be sent.
_FETCHING = {"src", "srcset", "poster", "data"}
_FROM_ELSEWHERE = re.compile(r"(?:url\(|@import|fetch\(|importScripts\()\s*['\"]?(?:https?:)?//")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site; a link into nothing, or an anchor that is not there, ends the build."""
    folder = tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    built = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return folder


def test_every_page_is_in_the_site(site: Path) -> None:
    """The README is the first page, and all others are where they are in the checkout."""
    pages = {path.relative_to(ROOT) for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]}

    built = {site / page.with_name("index.html" if page.name == "README.md" else f"{page.stem}.html") for page in pages}

    assert [page for page in sorted(built) if not page.is_file()] == []


def test_the_site_loads_nothing_from_another_host(site: Path) -> None:
    """No script, style, font or picture is anybody else's."""
    fetched = {f"{page.name}: {url}" for page in site.rglob("*.html") for url in _Fetched.of(page)}
    styles = [*site.rglob("*.css"), *site.rglob("*.js")]

    assert [each for each in sorted(fetched) if re.search(r": (?:https?:)?//", each)] == []
    assert [style.name for style in styles if _FROM_ELSEWHERE.search(style.read_text("utf-8"))] == []


def test_lists_and_tables_are_not_run_together(site: Path) -> None:
    """What a page has as a list or a table where it lies is one in the site."""
    broken = re.compile(r"<p>(?:(?!</p>).)*\n(?:- |\* |1\. |\|)", re.DOTALL)

    assert [page.name for page in site.rglob("*.html") if broken.search(page.read_text("utf-8"))] == []


class _Fetched(HTMLParser):
    """The addresses that a page has fetched as it is opened."""

    def __init__(self) -> None:
        super().__init__()
        self.urls: list[str] = []

    @classmethod
    def of(cls, page: Path) -> Iterator[str]:
        parser = cls()
        parser.feed(page.read_text("utf-8"))
        return iter(parser.urls)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        fetching = _FETCHING | ({"href"} if tag == "link" else set[str]())
        self.urls += [value for name, value in attrs if name in fetching and value]
