"""What was counted and read, as Prometheus reads it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, product

from prometheus_client.core import Metric as Family
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from ainp.telemetry.counting import Kind, Metric, Numbers, numbers
from ainp.telemetry.metrics import TABLE


@dataclass(frozen=True, slots=True)
class Reading:
    """What a metric that is not counted is now."""

    metric: Metric
    value: float
    labels: tuple[str, ...] = ()


def render(accept: str, readings: Iterable[Reading]) -> tuple[bytes, str]:
    """A scrape in the format that *accept* asks for, Prometheus' text or OpenMetrics; and its media type."""
    found = numbers()
    for reading in readings:
        found[reading.metric.name, *reading.labels] = [reading.value]
    encode, media_type = choose_encoder(accept)
    return encode(_Families(found)), media_type


class _Families(Collector):
    def __init__(self, found: Numbers) -> None:
        self._found = found

    def collect(self) -> Iterator[Family]:
        of: dict[str, list[tuple[tuple[str, ...], list[float]]]] = {}
        for (name, *labels), values in self._found.items():
            of.setdefault(name, []).append((tuple(labels), values))
        for metric in TABLE:
            counted = dict(of.get(metric.name, ()))
            family = Family(metric.name.removesuffix("_total"), metric.meaning, metric.kind)
            for shown in _from_the_start(metric):
                counted.setdefault(shown, [0.0] * metric.width)
            for each, amounts in counted.items():
                _add(family, metric, each, amounts)
            yield family


def _from_the_start(metric: Metric) -> Iterable[tuple[str, ...]]:
    """The labels with which it is shown before it has counted anything: a rise from nothing would not be seen."""
    return () if metric.read or not all(metric.labels.values()) else product(*metric.labels.values())


def _add(family: Family, metric: Metric, labels: Sequence[str], values: Sequence[float]) -> None:
    named = dict(zip(metric.labels, labels, strict=True))
    if metric.kind is not Kind.HISTOGRAM:
        family.add_sample(metric.name, named, values[0])
        return
    bounds = [*map(floatToGoString, metric.buckets), "+Inf"]
    for bound, count in zip(bounds, accumulate(values[1:]), strict=True):
        family.add_sample(f"{metric.name}_bucket", {**named, "le": bound}, count)
    family.add_sample(f"{metric.name}_sum", named, values[0])
    family.add_sample(f"{metric.name}_count", named, sum(values[1:]))
