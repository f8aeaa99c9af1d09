"""What a service counts and measures: a table of metrics, and how their values are recorded.

Theory of operation. A metric names every value that each of its labels may have. Whatever else is
given counts as `other`, so that nothing a stranger sends, and no name of a principal, becomes a
label, and the number of series is bounded by the table. Nothing is kept until an endpoint asks for
it (`metrics_endpoint`), so that a service without one loads nothing and pays one comparison.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import field
from enum import StrEnum
from typing import Final

from veracruz_utils.frozen import frozen

OTHER: Final = "other"
"""The value of a label for all that the table does not name."""

SECONDS: Final = (0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0, 60.0, 600.0, 3600.0, 86400.0)
"""Bounds of the buckets of durations."""


class MetricKind(StrEnum):
    """How the values of a metric go together."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@frozen
class Metric:
    """One metric, as a service has it and Prometheus reads it.

    Attributes:
        name: as Prometheus has it, unit and `_total` included.
        kind: how its values go together.
        means: what is counted or measured, for people.
        labels: the name of each label and every value that it may have beside `other`.
    """

    name: str
    kind: MetricKind
    means: str
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def add(self, by: float = 1, /, **labels: str) -> None:
        """Count so much more, if anybody asks for it.

        Args:
            by: how much more; of a histogram one value.
            labels: what it is about.
        """
        if _SINK.take is not None:
            _SINK.take(self, by, self.bounded(labels))

    def bounded(self, labels: Mapping[str, str]) -> dict[str, str]:
        """The same labels, with values of the table alone."""
        assert labels.keys() == self.labels.keys(), f"{self.name} has {[*self.labels]}"
        return {
            name: labels[name] if labels[name] in values else OTHER
            for name, values in self.labels.items()
        }

    @property
    def most_series(self) -> int:
        """How many combinations of labels there can be."""
        return math.prod(len({*values, OTHER}) for values in self.labels.values())


Take = Callable[[Metric, float, Mapping[str, str]], None]
"""Takes a value of a metric, with its labels; called from any thread."""

Look = Callable[[], Mapping[tuple[str, ...], float]]
"""Gives the values of a metric now, by those of its labels; called from any thread."""


class _Sink:
    """Where the values of this process go."""

    take: Take | None = None


_SINK: Final = _Sink()


def record_into(take: Take | None) -> None:
    """Have every value from now on taken by this; None for by nobody."""
    _SINK.take = take


@contextmanager
def also_recorded_into(take: Take) -> Iterator[None]:
    """Have every value taken by this too, for the length of a block."""
    before = _SINK.take

    def both(metric: Metric, by: float, labels: Mapping[str, str]) -> None:
        take(metric, by, labels)
        if before is not None:
            before(metric, by, labels)

    record_into(both)
    try:
        yield
    finally:
        record_into(before)


def named(table: Sequence[Metric]) -> dict[str, Metric]:
    """The metrics of a table by name, each of which is there once."""
    found = {each.name: each for each in table}
    assert len(found) == len(table)
    return found
