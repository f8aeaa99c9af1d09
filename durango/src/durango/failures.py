"""The report of a failed computation for the program's author."""

from colima.runtime import FailureReport, TrapFrame
from durango._words import printable

_MOST = 400  # of a line of what the program says, in characters


def failure_facts(report: FailureReport | None) -> dict[str, object] | None:
    """A report for machines, None without a failure; `offset` and `name` are None if not known."""
    if report is None or not report.failure:
        return None
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


def failure_lines(report: FailureReport) -> list[str]:
    """A report for people: the failure if there is one, calls, innermost first, the message."""
    lines = [f"failure {printable(report.failure)}"] if report.failure else []
    lines += map(_line, report.frames)
    if report.message:
        lines.append("the program says:")
        lines += [f"  {printable(each, most=_MOST)}" for each in _lines(report.message)]
    return lines


def _lines(message: str) -> list[str]:
    return message.rstrip().expandtabs(4).split("\n")


def _line(frame: TrapFrame) -> str:
    name = f" {printable(frame.name)}" if frame.name else ""
    offset = f" at offset {frame.offset:#x}" if frame.offset else ""
    return f"  in function {frame.function}{name}{offset}"
