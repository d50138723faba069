"""Reading what a scrape gives."""

from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families


def samples_of(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every sample's value, by its name and labels."""
    families = text_string_to_metric_families(text)
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def value_of(text: str, name: str, labels: Mapping[str, str]) -> float | None:
    """One sample's value; None where there is none."""
    return samples_of(text).get((name, frozenset(labels.items())))
