"""How a failed computation is told to the program's author."""

from colima.runtime import FailureReport, Frame
from durango._words import printable


def failure_facts(report: FailureReport) -> dict[str, object]:
    """A report for machines; `offset` and `name` are None where they are not known."""
    return {
        "failure": report.failure,
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
    """A report for people: the failure, and a line to each call, innermost first."""
    return "\n".join([f"failure {printable(report.failure)}", *map(_line, report.frames)])


def _line(frame: Frame) -> str:
    name = f" {printable(frame.name)}" if frame.name else ""
    offset = f" at offset {frame.offset:#x}" if frame.offset else ""
    return f"  in function {frame.function}{name}{offset}"
