"""Write the reference of metrics and alerts from the tables that services record by.

python tools/metrics_page.py docs/reference/metrics.md
"""

import sys
from pathlib import Path

from veracruz.monitoring import ALERTS, SECTIONS

_HEAD = """# Metrics and alerts

`make commands` writes this page.

`sinaloa`, `sonora` and `tabasco serve` with `--metrics [HOST:]PORT` serve `/metrics` in the text
format of Prometheus, over plain HTTP; a port alone is of this machine. It needs the extra
`metrics` (`pip install 'veracruz-sonora[metrics]'`). Without `--metrics` nothing is recorded, and
an isolate records nothing at all.

Labels have the values of this page, and `other` for whatever else there may be: no policy, no
principal, no address and nothing that a client sent. Beside these there are Prometheus's own of a
process (`process_cpu_seconds_total`, `process_resident_memory_bytes`, `process_open_fds`, ...).

`veracruz monitoring --output FOLDER` writes a dashboard for Grafana with a panel for each metric,
and the alerts below for Prometheus.
"""


def page() -> str:
    """The page."""
    parts = [_HEAD]
    for title, metrics in SECTIONS.items():
        parts.append(f"## {title}\n\n| Metric | Kind | Labels | |\n|---|---|---|---|")
        for each in metrics:
            labels = "; ".join(
                f"`{name}`: {', '.join(values)}" for name, values in each.labels.items()
            )
            parts.append(f"| `{each.name}` | {each.kind} | {labels} | {each.means} |")
        parts.append("")
    parts.append("## Alerts\n\n| Alert | Holds while, for so long | | To do |\n|---|---|---|---|")
    for alert in ALERTS:
        query = alert.query.replace("|", "\\|")
        parts.append(
            f"| {alert.name} | `{query}`, {alert.lasting} | {alert.summary} | {alert.remedy} |"
        )
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
