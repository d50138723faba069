"""The board and the alert rules in deploy/ name what a scrape gives, and nothing else."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from .conftest import Serving

DEPLOY = Path(__file__).parents[2] / "deploy"
BOARD = DEPLOY / "grafana" / "boards" / "mlx-pool.json"
PROMTOOL = shutil.which("promtool")
NAME = re.compile(r"\b(?:mlx_pool_|vllm:|gen_ai_)\w+")
BY = re.compile(r"\b(?:by|without|on)\s*\(([^)]*)\)")
MATCH = re.compile(r"(\w+)\s*(?:=|!=|=~|!~)\"")
LABELS = {
    *("model", "worker", "class", "model_name", "finished_reason", "route", "method", "status", "tenant", "le"),
    *("job", "instance", "alertstate"),  # Prometheus's own
}
_SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}


def board() -> dict[str, Any]:
    """The board as Grafana reads it."""
    return json.loads(BOARD.read_text("utf-8"))


def queries() -> Iterator[str]:
    """Everything that Prometheus is asked, by the board and by the rules."""
    for panel in board()["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))
    yield from (variable["query"]["query"] for variable in board()["templating"]["list"] if variable["type"] == "query")
    rules = (DEPLOY / "prometheus" / "alerts.yml").read_text("utf-8")
    yield from re.findall(r"expr: (?:>-\n)?(.*?)\n +(?:for|labels):", rules, re.DOTALL)


async def test_every_metric_that_is_asked_for_is_given(serving: Serving) -> None:
    """A renamed metric breaks this test, and not an operator's board in silence."""
    async with serving() as served:
        text = (await served.http.get("/metrics")).text
        text += (await served.http.get("/metrics", params={"scope": "pool"})).text

    given = {
        f"{family.name}{suffix}"
        for family in text_string_to_metric_families(text)
        for suffix in _SUFFIXES.get(family.type, ("",))
    }
    asked = {name for query in queries() for name in NAME.findall(query)}
    assert len(asked) > 25
    assert sorted(asked - given) == []


def test_every_label_that_is_asked_for_is_one() -> None:
    """A sum by a label that no series has is a sum over everything."""
    asked = {label.strip() for query in queries() for group in BY.findall(query) for label in group.split(",")}
    asked |= {label for query in queries() for label in MATCH.findall(query)}

    assert sorted(asked - LABELS) == []


def test_what_all_gateways_tell_alike_is_counted_once() -> None:
    """The pool's figures are scraped at each gateway: a bare sum of them would be the double."""
    pooled = re.compile(r"mlx_pool_(?!gateway_)\w+(?:\{[^}]*\})?(?: offset \w+)?")

    for query in queries():
        bare = re.sub(r"max without \(instance\) \(" + pooled.pattern + r"\)", "", query)
        # Shares of two such sums, rates over all of them by the number of gateways, and changes are the same anyway.
        if pooled.search(bare) and "label_values" not in query:
            assert re.search(r"/ sum by|/ count\(up|^delta\(", query), query


def test_panels_stand_beside_each_other() -> None:
    """None lies on another, each has a title, and each has its own number."""
    panels = board()["panels"]
    taken = [
        (column, line)
        for panel in panels
        for place in [panel["gridPos"]]
        for column in range(place["x"], place["x"] + place["w"])
        for line in range(place["y"], place["y"] + place["h"])
    ]

    assert len(set(taken)) == len(taken)
    assert max(column for column, _ in taken) < 24
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert all(panel["title"] for panel in panels)


def test_every_alert_stands_on_the_operators_page() -> None:
    """With what it means and what to do; and none that is gone."""
    page = (DEPLOY.parent / "docs" / "operations.md").read_text("utf-8").partition("\n### Alerts\n")[2]
    rules = (DEPLOY / "prometheus" / "alerts.yml").read_text("utf-8")

    told = re.findall(r"^\| `(\w+)` \|", page.partition("\n## ")[0], re.MULTILINE)

    assert told == re.findall(r"- alert: (\w+)", rules)


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed (Debian has it in `prometheus`)")
def test_prometheus_takes_its_files_and_alerts_when_it_should() -> None:
    """As its own tool checks them; the rules have tests of their own."""
    assert PROMTOOL
    for words in (
        ("check", "config", "--syntax-only", "prometheus.yml"),
        ("check", "rules", "alerts.yml"),
        ("test", "rules", "alerts_test.yml"),
    ):
        checked = subprocess.run(
            [PROMTOOL, *words], cwd=DEPLOY / "prometheus", capture_output=True, text=True, check=False
        )

        assert checked.returncode == 0, checked.stdout + checked.stderr
