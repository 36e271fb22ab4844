"""A scrape, read by the library's own parsers."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_families
from prometheus_client.parser import text_string_to_metric_families as text_families

_Sample = tuple[str, frozenset[tuple[str, str]]]


@dataclass(frozen=True)
class Scrape:
    """What a broker showed at one moment."""

    names: frozenset[str]  # of metrics as they are declared
    samples: Mapping[_Sample, float]

    def of(self, sample: str, /, **labels: str) -> float:
        """The sum of the samples with this name and these labels."""
        return sum(value for (each, has), value in self.samples.items() if each == sample and has >= labels.items())

    def moved(self, since: "Scrape", sample: str, /, **labels: str) -> float:
        """How much it grew."""
        return self.of(sample, **labels) - since.of(sample, **labels)

    def values_of(self, label: str) -> set[str]:
        """Every value that a label has anywhere."""
        return {value for _, labels in self.samples for name, value in labels if name == label}


def read(text: str, *, openmetrics: bool = False) -> Scrape:
    """Parse a scrape; fails if it is not well formed."""
    parse: Callable[[str], Iterable[Metric]] = open_families if openmetrics else text_families
    names, samples = set(), {}
    for family in parse(text):
        names.add(f"{family.name}_total" if family.type == "counter" else family.name)
        for sample in family.samples:
            key = sample.name, frozenset(sample.labels.items())
            assert key not in samples, f"{key} stands twice"
            samples[key] = sample.value
    return Scrape(frozenset(names), samples)
