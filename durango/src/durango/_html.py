"""What notebooks show of values: small pieces of HTML, in which everything said is escaped.

Names, types and messages are other people's words: none of them may become markup or script, and
what a terminal would obey is shown as quoted text.
"""

from collections.abc import Iterable, Sequence
from html import escape

from durango._words import printable


def said(text: object) -> str:
    """Text of whatever origin, as it may stand in HTML."""
    whole = str(text)
    return escape(printable(whole, most=len(whole)))


def heading(text: object) -> str:
    """A line in bold."""
    return f"<p><b>{said(text)}</b></p>"


def paragraph(text: object) -> str:
    """A line."""
    return f"<p>{said(text)}</p>"


def bullets(lines: Iterable[object]) -> str:
    """A list; nothing if there are no lines."""
    entries = "".join(f"<li>{said(line)}</li>" for line in lines)
    return f"<ul>{entries}</ul>" if entries else ""


def table(head: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    """A table, aligned to the left as text is."""
    names = "".join(f'<th style="text-align:left">{said(name)}</th>' for name in head)
    body = "".join(
        "<tr>" + "".join(f'<td style="text-align:left">{said(cell)}</td>' for cell in row) + "</tr>"
        for row in rows
    )
    header = f"<thead><tr>{names}</tr></thead>" if head else ""
    return f"<table>{header}<tbody>{body}</tbody></table>"
