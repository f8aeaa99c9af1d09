"""Reports as one HTML file: pages to keep, mail and print.

They load nothing from anywhere and run no script, to which the page asks the browser to hold it.
Every piece here escapes what it is given: names, types and messages are other people's words.
"""

import base64
import hashlib
from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

from veracruz_utils.frozen import frozen

_STYLE: Final = """
:root {
  color-scheme: light dark;
  --ground: light-dark(#ffffff, #12171d); --ink: light-dark(#1c2733, #e6ebf0);
  --soft: light-dark(#52606d, #a9b6c3); --line: light-dark(#d6dce2, #36414d);
  --good: light-dark(#1d6b3a, #7ed09b); --good-ground: light-dark(#e5f4ea, #1a3325);
  --bad: light-dark(#9b1c1c, #ff9d94); --bad-ground: light-dark(#fdecea, #401d1b);
}
* { box-sizing: border-box }
body { font: 16px/1.5 system-ui, "DejaVu Sans", sans-serif; max-width: 54rem; margin: 2rem auto;
  padding: 0 1rem; color: var(--ink); background: var(--ground); overflow-wrap: anywhere }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .5rem }
h2 { font-size: 1.2rem; margin: 2rem 0 .3rem }
h3 { font-size: 1rem; margin: 1.25rem 0 .3rem } p { margin: .4rem 0 }
code { font: .86em ui-monospace, "DejaVu Sans Mono", monospace }
ul { margin: .4rem 0; padding-left: 1.3rem } li { margin: .25rem 0 } .remark { color: var(--soft) }
.verdict { margin: 1rem 0; padding: .8rem 1.1rem; border: 1px solid; border-radius: .5rem }
.verdict p:first-child { font-size: 1.15rem; font-weight: 700 }
.good { color: var(--good) } .bad { color: var(--bad) }
.verdict.good { background: var(--good-ground) } .verdict.bad { background: var(--bad-ground) }
.verdict p + p { color: var(--ink) }
table { border-collapse: collapse; width: 100%; font-size: .94rem; margin: .5rem 0 1rem }
caption { text-align: left; font-weight: 600; padding: .25rem 0 }
th, td { text-align: left; vertical-align: top; padding: .35rem 1rem .35rem 0;
  border-bottom: 1px solid var(--line) }
thead th { color: var(--soft); font-size: .86rem }
tbody th { font-weight: 600; min-width: 7rem; overflow-wrap: break-word }
.steps { list-style: none; counter-reset: step; margin: 1rem 0; padding: 0 }
.steps li { counter-increment: step; position: relative; margin: 0 0 .7rem;
  padding: .7rem 1rem .7rem 3.5rem; border: 1px solid var(--line); border-radius: .5rem }
.steps li::before { content: counter(step); position: absolute; left: 1rem; top: .7rem;
  width: 1.7rem; line-height: 1.7rem; text-align: center; border-radius: 50%; font-weight: 700;
  color: var(--good); background: var(--good-ground) }
.steps .failed { border-color: var(--bad) }
.steps .failed::before { color: var(--bad); background: var(--bad-ground) }
.steps p { font-weight: 600; margin: 0 0 .2rem }
dl { display: grid; grid-template-columns: 5rem 1fr; gap: .1rem 1rem; margin: 0 }
dt { color: var(--soft) } dd { margin: 0 }
svg { width: 100%; height: auto; margin: 1rem 0 } svg text { fill: var(--ink) }
svg .wall { fill: light-dark(#f4f1ea, #25231d); stroke: light-dark(#b9ae97, #6d6450) }
svg .party { fill: light-dark(#e6eef7, #20303f); stroke: light-dark(#44617c, #7fa0bd) }
svg .isolate { fill: light-dark(#dfeee3, #1d3a28); stroke: light-dark(#44617c, #7fbf95) }
svg line { stroke: light-dark(#44617c, #8fabc4) } svg .tip { fill: light-dark(#44617c, #8fabc4) }
@media (max-width: 40rem) { dl { grid-template-columns: 1fr } dd { margin-bottom: .3rem } }
@media print {
  :root { color-scheme: light } @page { margin: 18mm }
  body { margin: 0; padding: 0; max-width: none; font-size: 10.5pt }
  h1, h2, h3, caption { break-after: avoid } li, tr, .verdict { break-inside: avoid }
  svg { max-height: 92vh } .verdict, .steps li::before { print-color-adjust: exact }
}
"""
_POLICY: Final = (
    "default-src 'none'; style-src 'sha256-"
    f"{base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}'"
)
"""The one style above, and nothing else whoever's words a page has in it."""


class Code(str):
    """Text for computers, such as a digest: shown with characters of one width."""

    __slots__ = ()


@frozen
class Step:
    """One of the checks of a chain.

    Attributes:
        name: what was checked.
        details: what is said of it, each with its name, such as `found`.
        passed: whether it held.
    """

    name: str
    details: tuple[tuple[str, str], ...]
    passed: bool = True


def said(text: object) -> str:
    """Text of whatever origin, as it may stand in HTML; what a terminal would obey is quoted."""
    whole = str(text)
    shown = escape(whole if whole.isprintable() else repr(whole))
    return f"<code>{shown}</code>" if isinstance(text, Code) else shown


def paragraph(text: object) -> str:
    """A line."""
    return f"<p>{said(text)}</p>"


def bullets(lines: Iterable[object]) -> str:
    """A list; nothing if there are no lines."""
    entries = "".join(f"<li>{said(line)}</li>" for line in lines)
    return f"<ul>{entries}</ul>" if entries else ""


def table(rows: Iterable[Sequence[object]], *, head: Sequence[str] = (), caption: str = "") -> str:
    """A table whose rows have their names in the first column; nothing if there are no rows."""
    body = "\n".join(
        f'<tr><th scope="row">{said(row[0])}</th>'
        + "".join(f"<td>{said(cell)}</td>" for cell in row[1:])
        + "</tr>"
        for row in rows
    )
    if not body:
        return ""
    named = f"<caption>{said(caption)}</caption>" if caption else ""
    titles = "".join(f'<th scope="col">{said(name)}</th>' for name in head)
    header = f"<thead><tr>{titles}</tr></thead>" if head else ""
    return f"<table>{named}{header}<tbody>\n{body}\n</tbody></table>"


def steps(chain: Iterable[Step]) -> str:
    """Checks in the order in which they were made, with numbers."""
    return f'<ol class="steps">{"".join(map(_step, chain))}</ol>'


def _step(step: Step) -> str:
    mark, end = ("", "passed") if step.passed else (' class="failed"', "failed")
    details = "".join(f"<dt>{said(name)}</dt><dd>{said(text)}</dd>" for name, text in step.details)
    return f"<li{mark}><p>{said(step.name)}: {end}</p><dl>{details}</dl></li>\n"


def verdict(text: object, *more: object, good: bool) -> str:
    """What came of it, and sentences about that."""
    kind = "good" if good else "bad"
    return f'<div class="verdict {kind}">{"".join(map(paragraph, (text, *more)))}</div>'


def section(title: str, *parts: str) -> str:
    """Parts under a title; nothing if all of them are empty."""
    inside = "\n".join(filter(None, parts))
    return f"<section>\n<h2>{said(title)}</h2>\n{inside}\n</section>" if inside else ""


def page(title: str, *parts: str, about: str, heading: str = "", lang: str = "en") -> str:
    """The whole file, in UTF-8.

    Args:
        title: of the file, where a browser lists it.
        parts: as the functions here make them; they stand in the page as they are.
        about: what the page is and who made it, in a sentence or two.
        heading: of the page; the title if there is none.
        lang: the language of its words.
    """
    body = "\n".join(filter(None, parts))
    return (
        f'<!DOCTYPE html>\n<html lang="{said(lang)}">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{said(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        f'<h1>{said(heading or title)}</h1>\n<p class="remark">{said(about)}</p>\n'
        f"{body}\n</main>\n</body>\n</html>\n"
    )
