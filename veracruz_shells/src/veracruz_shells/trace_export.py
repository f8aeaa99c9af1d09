"""Spans for a collector: whether any are wanted, and sending them while a program runs."""

import os
from importlib.metadata import version
from typing import TYPE_CHECKING, Final, Self

import click

from veracruz_shells.console import note
from veracruz_shells.trace_settings import are_traces_wanted, trace_settings
from veracruz_shells.traces import trace_with
from veracruz_utils.errors import VeracruzError

if TYPE_CHECKING:
    from veracruz_shells.otel_spans import SpanExport

_EXTRA: Final = "opentelemetry"

traces_option = click.option(
    "--traces",
    metavar="URL",
    help="Send traces to this collector, by OTLP over gRPC: http://HOST:PORT, or https. Needs the "
    "extra traces.  [default: as OTEL_EXPORTER_OTLP_ENDPOINT says, or nowhere]",
)
"""Adds `--traces`, for services."""


class Tracing:
    """Sends the spans of this program to a collector, from `with` on until the block is left.

    Args:
        url: where to; None for where the environment says, or nowhere, which costs nothing.
        service: whose they are, such as `sinaloa`.
        announce: whether to say where they go.
    """

    def __init__(self, url: str | None, *, service: str, announce: bool = True) -> None:
        self._url = url
        self._service = service
        self._announce = announce
        self._export: SpanExport | None = None

    def __enter__(self) -> Self:
        """Begin to trace.

        Raises:
            VeracruzError: it was asked for by a setting, and cannot be done.
        """
        if not are_traces_wanted(os.environ, self._url):
            return self
        try:
            self._export = self._started()
        except VeracruzError as error:
            if self._url is not None:
                raise
            # The environment may speak to other programs as well.
            note(f"{self._service}: warning: no traces: {error}")
            return self
        trace_with(self._export.begin)
        return self

    def __exit__(self, *_: object) -> None:
        if self._export is not None:
            trace_with(None)
            self._export.close()

    def _started(self) -> "SpanExport":
        settings = trace_settings(self._url, os.environ)
        try:
            from veracruz_shells.otel_spans import SpanExport  # noqa: PLC0415 - an extra
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] != _EXTRA:
                raise
            raise VeracruzError(
                f"traces need {error.name}: pip install 'veracruz-{self._service}[traces]'"
            ) from error
        export = SpanExport(
            settings,
            service=self._service,
            version=version(f"veracruz-{self._service}"),
            tell=lambda line: note(f"{self._service}: {line}"),
        )
        if self._announce:
            note(f"{self._service}: traces to {settings.url}")
            if settings.is_plain and not settings.collector.is_loopback:
                note(
                    f"{self._service}: warning: traces go to {settings.collector} in plain text: "
                    "give an https URL"
                )
        return export
