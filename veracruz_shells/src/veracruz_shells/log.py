"""The log of services, on standard error: text for people, or one JSON object a line for programs.

With JSON every line is an object, also what a command tells by `note` and the error it ends with.
What a line is about is in its fields (`LogFields`), of which none is ever a secret.
"""

import json
import logging
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, TypedDict, Unpack

import click

__all__ = ["LineLimit", "LogFields", "about", "log_line", "log_option", "logs_json"]

_FIELDS: Final = "_fields"


class LogFields(TypedDict, total=False):
    """What a line of the log may be about.

    Attributes:
        session: the number of a session, of this process.
        peer: who asks: an IPv4 address, an IPv6 network of 64 bits, or a user's number.
        policy: the digest of the policy, in hexadecimal.
        isolate: the number of an isolate, of this Sonora.
        process: the number of a process.
        method: which method or route was asked for.
        bytes_in: how many bytes came.
        bytes_out: how many bytes went.
        duration_s: how long it took, in seconds.
        outcome: how it ended.
        unlogged: how many lines of this kind were left out before this one.
        address: where the service listens.
        http: where it listens for HTTP.
        metrics: where Prometheus reads its metrics.
        socket: the Unix socket where it listens.
    """

    session: int | None
    peer: str | int | None
    policy: str | None
    isolate: int | None
    process: int | None
    method: str | None
    bytes_in: int | None
    bytes_out: int | None
    duration_s: float | None
    outcome: str | None
    unlogged: int | None
    address: str | None
    http: str | None
    metrics: str | None
    socket: str | None


def about(**fields: Unpack[LogFields]) -> dict[str, object]:
    """What a line of the log is about, as logging's `extra`; what is None is left out."""
    return {_FIELDS: {name: value for name, value in fields.items() if value is not None}}


class LineLimit:
    """How many lines of a kind are logged: `most` in a window of time, counted beyond.

    For lines that anybody can cause, and must not fill a disk by. For one thread.
    """

    def __init__(self, most: int = 60, window_s: float = 60.0) -> None:
        self._most = most
        self._window_s = window_s
        self._began = float("-inf")
        self._count = 0

    def take(self, now: float | None = None) -> int | None:
        """How many were left out before this one; None if this one is to be left out, too."""
        now = time.monotonic() if now is None else now
        left_out = 0
        if now >= self._began + self._window_s:
            left_out = max(0, self._count - self._most)
            self._began, self._count = now, 0
        self._count += 1
        return None if self._count > self._most else left_out


def logs_json() -> bool:
    """Whether the log was started as JSON."""
    return any(isinstance(each.formatter, JsonFormatter) for each in logging.root.handlers)


def log_line(level: str, logger: str, message: str, **fields: object) -> str:
    """A line of the log in JSON."""
    time = datetime.now(UTC).isoformat(timespec="milliseconds")
    head = {"time": time, "level": level, "logger": logger, "message": message}
    return json.dumps(head | fields, default=str)


class JsonFormatter(logging.Formatter):
    """Records as lines in JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        fields = _fields_of(record)
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        level = record.levelname.lower()
        return log_line(level, record.name, record.getMessage(), **fields)


class TextFormatter(logging.Formatter):
    """Records as lines for people, with their fields behind."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's
        """The line of a record, without its traceback."""
        fields = "".join(f" {name}={value}" for name, value in _fields_of(record).items())
        return f"{super().formatMessage(record)}{';' if fields else ''}{fields}"


def _fields_of(record: logging.LogRecord) -> dict[str, object]:
    found = getattr(record, _FIELDS, None)
    return dict(found) if isinstance(found, Mapping) else {}


def _start_log(context: click.Context, _: click.Parameter, form: str) -> None:
    """Start the log on standard error, as text or as one JSON object a line."""
    handler = logging.StreamHandler()
    prog = context.find_root().info_name
    handler.setFormatter(
        JsonFormatter() if form == "json" else TextFormatter(f"{prog}: %(message)s")
    )
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.captureWarnings(capture=True)
    if form == "json":
        threading.excepthook = _thread_failed


def _thread_failed(args: threading.ExceptHookArgs) -> None:
    """A thread that fails is a line of the log as well."""
    if args.exc_value is not None and not isinstance(args.exc_value, SystemExit):
        failed = (type(args.exc_value), args.exc_value, args.exc_traceback)
        name = args.thread.name if args.thread else "?"
        logging.getLogger(__name__).error("a thread failed: %s", name, exc_info=failed)


log_option = click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    is_eager=True,
    expose_value=False,
    callback=_start_log,
    help="The format of the log, which goes to standard error: with json every line is an object.",
)
"""Adds `--log-format`, for services, and starts their log."""
