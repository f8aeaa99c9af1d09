"""What notebooks show of values: small pieces of HTML, in which everything said is escaped.

Names, types and messages are other people's words: none of them may become markup or script, and
what a terminal would obey is shown as quoted text.
"""

from collections.abc import Iterable, Sequence

from veracruz_shells.page import bullets, paragraph, said

__all__ = ["bullets", "heading", "paragraph", "said", "table"]


def heading(text: object) -> str:
    """A line in bold."""
    return f"<p><b>{said(text)}</b></p>"


def table(head: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    """A table, aligned to the left as text is."""
    names = "".join(f'<th style="text-align:left">{said(name)}</th>' for name in head)
    body = "".join(
        "<tr>" + "".join(f'<td style="text-align:left">{said(cell)}</td>' for cell in row) + "</tr>"
        for row in rows
    )
    header = f"<thead><tr>{names}</tr></thead>" if head else ""
    return f"<table>{header}<tbody>{body}</tbody></table>"
