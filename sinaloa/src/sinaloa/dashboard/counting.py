"""Counts since the start, of the metrics that the page shows; few, whatever labels there are.

Metrics name every value that a label may have (`veracruz_shells.metrics`), and so does this.
"""

import threading
from collections import Counter
from collections.abc import Mapping
from typing import Final

from sinaloa import metrics
from veracruz_shells.metrics import Metric

Counts = Mapping[str, Mapping[str, int]]
"""How many there are of each label, by what the metric is called on the page."""

SHOWN: Final = (
    (metrics.ATTESTATIONS, "attestations"),
    (metrics.HANDSHAKES_REFUSED, "handshakes refused"),
    (metrics.SESSIONS_ENDED, "sessions ended"),
    (metrics.SESSIONS_REFUSED, "sessions refused"),
)
"""Metrics of one label, and what their counts are called."""
_CALLED: Final = {metric.name: called for metric, called in SHOWN}


class Totals:
    """Counts values of metrics as they come, from any thread."""

    def __init__(self) -> None:
        """Nothing is counted yet."""
        self._lock = threading.Lock()
        self._counts: dict[str, Counter[str]] = {}

    def take(self, metric: Metric, by: float, labels: Mapping[str, str]) -> None:
        """Count a value, if the page shows it."""
        called = _CALLED.get(metric.name)
        if called is not None:
            (label,) = labels.values()
            with self._lock:
                self._counts.setdefault(called, Counter())[label] += int(by)

    def now(self) -> Counts:
        """All that was counted, by name."""
        with self._lock:
            return {
                called: dict(sorted(counted.items()))
                for called, counted in sorted(self._counts.items())
            }
