"""Totals since the start, of the metrics that the page shows; few, whatever labels there are."""

import threading
from collections import Counter
from collections.abc import Mapping
from typing import Final

from sinaloa import metrics
from veracruz_shells.metrics import Metric

_ANSWERED: Final = "answered"
_SHOWN: Final = {
    metrics.SESSIONS_ENDED.name: "sessions ended",
    metrics.SESSIONS_REFUSED.name: "sessions refused",
    metrics.HANDSHAKES_REFUSED.name: "handshakes refused",
}
"""What the count of a metric is called, all of its labels together."""


class Totals:
    """Counts values of metrics as they come, from any thread."""

    def __init__(self) -> None:
        """Nothing is counted yet."""
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def take(self, metric: Metric, by: float, labels: Mapping[str, str]) -> None:
        """Count a value, if the page shows it."""
        called = _SHOWN.get(metric.name)
        if metric.name == metrics.ATTESTATIONS.name:
            good = labels["outcome"] == _ANSWERED
            called = "attestations answered" if good else "attestations refused or failed"
        if called is not None:
            with self._lock:
                self._counts[called] += int(by)

    def now(self) -> dict[str, int]:
        """All that was counted, by name."""
        with self._lock:
            return dict(sorted(self._counts.items()))
