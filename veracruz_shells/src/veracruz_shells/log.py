"""The log of services, on standard error: text for people, or one JSON object a line for programs.

With JSON every line is an object, also what a command tells by `note` and the error it ends with.
What a line is about is in its fields: `session`, `peer`, `policy`, `isolate`, `bytes_in`,
`bytes_out`, `duration_s`, `outcome`. None of them is ever a secret.
"""

import json
import logging
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import click

__all__ = ["about", "log_line", "log_option", "logs_json"]

_FIELDS: Final = "_fields"


def about(**fields: object) -> dict[str, object]:
    """What a line of the log is about, as logging's `extra`; what is None is left out."""
    return {_FIELDS: {name: value for name, value in fields.items() if value is not None}}


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
