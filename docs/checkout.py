"""The site's pages are files of the checkout under their own paths, so that a link works here and there alike."""

import re
from collections.abc import Iterator
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

PAGES = ("*.md", "docs/*.md", "docs/decisions/*.md", "models/*.md", "bench/*.md", "deploy/*.md", "examples/*.md")
# What pages show and link to.
FILES = ("LICENSE", "compose.yaml", "docs/*.css", "docs/*.json", "docs/*.png", "examples/*/*.go", "examples/*/*.mjs")

# A list or a table may follow its paragraph at once; the site's Markdown wants an empty line between.
_PARAGRAPH = re.compile(r"(?![-*] |\d+\. |```|[|>#\s])")
_OPENING = re.compile(r"[-*] |1\. |\|")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Give what the theme brings, and the checkout's pages in place of the folder that the builder has walked."""
    brought = [file for file in files if file.src_dir != config.docs_dir]
    return Files([*brought, *_of(Path(config.config_file_path).parent, config)])


def on_page_markdown(markdown: str, **_: object) -> str:
    """Part lists and tables from the paragraph before them."""
    lines: list[str] = []
    in_code = False
    for line in markdown.splitlines():
        if not in_code and lines and _OPENING.match(line) and lines[-1] and _PARAGRAPH.match(lines[-1]):
            lines.append("")
        in_code ^= line.lstrip().startswith("```")
        lines.append(line)
    return "\n".join(lines)


def _of(checkout: Path, config: MkDocsConfig) -> Iterator[File]:
    for pattern in (*PAGES, *FILES):
        for path in sorted(checkout.glob(pattern)):
            name = path.relative_to(checkout).as_posix()
            yield File(name, str(checkout), config.site_dir, config.use_directory_urls)
