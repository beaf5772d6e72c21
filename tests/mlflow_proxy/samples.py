"""Reads what a portal counts, as a scrape shows it."""

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client.parser import text_string_to_metric_families

from mlflow_proxy import metrics
from tests.mlflow_proxy.portal import Portal
from tests.mlflow_proxy.wire import call


def value(text: str, name: str, **labels: str) -> float:
    """Return the sum of the samples of this name that carry these labels."""
    families = text_string_to_metric_families(text)
    samples = [sample for family in families for sample in family.samples if sample.name == name]
    return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())


def scrape(portal: Portal, who: str = "operator") -> str:
    reply = call(portal, "GET", "/metrics", who=who)
    assert reply.status == 200, reply.body
    return reply.body.decode()


@contextmanager
def counted(name: str, by: float = 1, **labels: str) -> Iterator[None]:
    """Assert that this process counts so many meanwhile."""
    before = here(name, **labels)
    yield
    assert here(name, **labels) - before == by, f"{name}{labels}"


def here(name: str, **labels: str) -> float:
    return value(metrics.exposition("")[0].decode(), name, **labels)
