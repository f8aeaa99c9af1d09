"""Write the reference of traces from the tables that programs trace by.

python tools/traces_page.py docs/reference/traces.md
"""

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from durango.traces import SPANS as OF_DURANGO
from sinaloa.traces import SPANS as OF_SINALOA
from sonora.traces import SPANS as OF_SONORA
from tabasco.traces import SPANS as OF_TABASCO
from veracruz_shells.grpc_traces import CALL_ANSWERED, CALL_MADE
from veracruz_shells.traces import FORMS, MAX_TRACEPARENT_CHARS, SpanFacts, SpanType

SECTIONS: Final[Mapping[str, Sequence[SpanType]]] = {
    "Durango, a principal's own program": OF_DURANGO,
    "Sinaloa, the bridge": OF_SINALOA,
    "Sonora, the root isolate": OF_SONORA,
    "Tabasco, the attestation service": OF_TABASCO,
    "gRPC, of all of them": (CALL_MADE, CALL_ANSWERED),
}
"""Every span, under the name of the program that has it."""

_ROWS: Final = {
    "`OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`, `OTEL_EXPORTER_OTLP_ENDPOINT`": "`http://HOST:PORT` or "
    "`https://HOST:PORT` of the collector; the first of them counts, and `--traces` before both",
    "`OTEL_EXPORTER_OTLP_CERTIFICATE`, `..._CLIENT_CERTIFICATE`, `..._CLIENT_KEY`": "files in PEM: "
    "whom to believe with https, and what to show",
    "`OTEL_EXPORTER_OTLP_HEADERS`": "what else goes with each batch; a secret there can be read by "
    "who may look at the process",
    "`OTEL_EXPORTER_OTLP_COMPRESSION`": "`gzip`, if anything",
    "`OTEL_EXPORTER_OTLP_PROTOCOL`": "`grpc`, if anything: other protocols are not spoken",
    "`OTEL_TRACES_SAMPLER`, `OTEL_TRACES_SAMPLER_ARG`": "as above",
    "`OTEL_SDK_DISABLED=true`, `OTEL_TRACES_EXPORTER=none`": "no traces, whatever else is set",
}
_VARIABLES: Final = "\n".join(
    ["| Variable | |", "|---|---|", *(f"| {name} | {means} |" for name, means in _ROWS.items())]
)

_HEAD = f"""# Traces

`make commands` writes this page.

`durango`, `sinaloa`, `sonora` and `tabasco serve` send spans to an OpenTelemetry collector, by
OTLP over gRPC, where one is named: by `--traces URL` of a service, or by the standard variables
below. It needs the extra `traces` (`pip install 'veracruz-sinaloa[traces]'`). Without a collector
named nothing of it is loaded, and an isolate traces nothing at all: a session's span ends at its
wall.

A trace leads from a command of `durango` through the bridge and Sonora down to Tabasco. Processes
hand it on as `traceparent` of [W3C Trace Context](https://www.w3.org/TR/trace-context/): in the
metadata of gRPC, in a header of HTTP, in the first word of a session over bare TCP, and in what a
bridge asks of Sonora. `tracestate` and baggage are neither read nor sent. What a client says of
its trace is a claim: whoever knows the number of a trace can add to it. One that is malformed, or
longer than {MAX_TRACEPARENT_CHARS} characters, is passed over; a span then begins its own trace.

## How many are kept

Whoever begins a trace decides whether it is kept, by `OTEL_TRACES_SAMPLER`: `always_on` (as
without it), `always_off`, or `traceidratio` with a ratio from 0 to 1 in
`OTEL_TRACES_SAMPLER_ARG`; with `parentbased_` before them they mean the same. A service keeps
that part, drawn by chance, of what begins there and of what another process says is kept, so that
nobody can make it send more. To see whole traces of a part of all commands, set the ratio at the
principals and leave the services' at 1.

## When the collector is away

At most 2048 spans wait, after which the oldest are dropped; a batch is tried for 5 s. One warning
says so until the collector is there again. The end of a program waits for it for some 2 s at
most.

## What it costs

Where no collector is named, 0.2 µs for each span; where one is, some 55 µs of processor time with
the sending, or 15 µs for one that is not kept, and a command of `durango` takes 0.12 s longer.

## Variables

{_VARIABLES}

A setting that cannot be used ends a service; of a variable, which may be meant for other
programs, a warning is given.

## What a span says

Its name, when it began and ended, which it is a part of, and these attributes: digests, numbers,
and words that stand in our code. What has another form is `other`. There are no events, and of an
error its kind alone (`veracruz.outcome`), never its text. The resource is the service's name and
version.

| Attribute | Type | |
|---|---|---|
"""

_TABLE: Final = "| Span | Side | Attributes beside the outcome | |\n|---|---|---|---|"


def facts() -> dict[str, str]:
    """The facts and what they are, by their declaration."""
    found = re.findall(r"^\s+([a-z_]+): (.*)$", SpanFacts.__doc__ or "", re.MULTILINE)
    return {name: means for name, means in found if name in SpanFacts.__annotations__}


def type_of(name: str) -> str:
    """Of what type a fact is."""
    if name in FORMS:
        return "word"
    return "yes or no" if "bool" in str(SpanFacts.__annotations__[name]) else "number"


def page() -> str:
    """The page."""
    rows = [f"| `veracruz.{name}` | {type_of(name)} | {means} |" for name, means in facts().items()]
    parts = [_HEAD + "\n".join(rows) + "\n"]
    for title, spans in SECTIONS.items():
        parts.append(f"## {title}\n\n{_TABLE}")
        parts += [
            f"| `{each.name}` | {each.side} | {', '.join(each.facts)} | {each.means} |"
            for each in spans
        ]
        parts.append("")
    return "\n".join(parts).rstrip() + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
