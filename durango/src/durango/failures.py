"""How a failed computation is told to the program's author."""

from colima.runtime import FailureReport, Frame
from durango._words import printable

_MOST = 400  # of a line of what the program says, in characters


def failure_facts(report: FailureReport) -> dict[str, object]:
    """A report for machines; `offset` and `name` are None where they are not known."""
    return {
        "failure": report.failure,
        "message": report.message or None,
        "frames": [
            {
                "function": frame.function,
                "offset": frame.offset or None,
                "name": frame.name or None,
            }
            for frame in report.frames
        ],
    }


def failure_text(report: FailureReport) -> str:
    """A report for people: the failure, a line to each call, innermost first, and the message."""
    lines = [f"failure {printable(report.failure)}", *map(_line, report.frames)]
    if report.message:
        lines.append("the program says:")
        lines += [f"  {printable(each, most=_MOST)}" for each in _lines(report.message)]
    return "\n".join(lines)


def _lines(message: str) -> list[str]:
    return message.rstrip().expandtabs(4).split("\n")


def _line(frame: Frame) -> str:
    name = f" {printable(frame.name)}" if frame.name else ""
    offset = f" at offset {frame.offset:#x}" if frame.offset else ""
    return f"  in function {frame.function}{name}{offset}"
