"""docs/operations.md tells of every metric that a scrape gives, and of none that it does not."""

import re
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from .conftest import Serving

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text("utf-8")
NAME = re.compile(r"`((?:mlx_pool_|vllm:|gen_ai_)[a-z0-9_]+)`")


def told_of() -> set[str]:
    """The names in the first column of the section's tables."""
    section = PAGE.partition("\n## Metrics\n")[2].partition("\n## ")[0]
    return {
        name for line in section.splitlines() if line.startswith("| `") for name in NAME.findall(line.split("|")[1])
    }


def given_by(text: str) -> set[str]:
    """The names of a scrape, as queries have them; the process's own are Prometheus's business."""
    families = text_string_to_metric_families(text)
    return {
        family.name + ("_total" if family.type == "counter" else "")
        for family in families
        if not family.name.startswith("process_")
    }


async def test_every_metric_stands_on_the_page(serving: Serving) -> None:
    """A dashboard is built from the page, and finds what it names."""
    async with serving() as served:
        own = (await served.http.get("/metrics")).text
        pool = (await served.http.get("/metrics", params={"scope": "pool"})).text

        assert given_by(own) | given_by(pool) == told_of()
