"""Write the reference of the log from the calls that write it.

python tools/log_page.py docs/reference/logs.md
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from veracruz_shells.log import LogFields

ROOT = Path(__file__).parent.parent
PACKAGES = ("sinaloa", "sonora", "tabasco", "veracruz_shells")
_SAID = {"sinaloa.records": "info", "sonora.enrolment_watch": "error"}
"""The level of what a module says by a method of its own, `_say`."""
_LEVELS = {"debug", "info", "warning", "error", "exception"}
_HEAD = """# Lines of the log

`make commands` writes this page.

`sinaloa`, `sonora` and `tabasco serve` log to standard error, as text or with `--log-format json`
as one object a line. Such an object has `time`, `level`, `logger`, `message` and what the line is
about, in the fields below; in text these stand behind the line. A field that is not known is not
there. None is ever a secret: no content, no key, no token. Notices without fields, such as
warnings at the start, are lines of the same form.

## Fields

| Field | |
|---|---|
{fields}

## Sessions, calls and isolates

Each of them is one line when it is over, or refused:

| Service | Message | Always there | Where it is known |
|---|---|---|---|
| sinaloa | session opened | session, peer, policy | |
| sinaloa | session ended | session, peer, policy, bytes_in, bytes_out, duration_s, outcome | |
| sinaloa | session refused | peer, outcome | policy, unlogged |
| sinaloa | call ended | peer, method, bytes_in, duration_s, outcome | policy, bytes_out, unlogged |
| sonora | isolate ... | isolate, policy, peer, outcome | process, duration_s |
| sonora | launch refused: ... | policy, peer, duration_s, outcome | |
| sonora | token minted | isolate, policy, peer, bytes_out, duration_s, outcome | |
| sonora | token refused: ... | isolate, policy, peer, outcome | |
| tabasco | call ended | peer, method, bytes_in, bytes_out, duration_s, outcome | |
| tabasco | request ended | peer, method, bytes_in, bytes_out, duration_s, outcome | |
| each | call not begun | peer, method, outcome | unlogged |

Who is refused can come again: of refused sessions and calls, connections and calls that were not
begun at most 60 lines are written in a minute, and the next one says how many were left out
(`unlogged`). `request ended` leaves out health checks that went well.

## Events

A `...` stands for what changes from line to line.

| Logger | Level | Message |
|---|---|---|
{events}
"""


def fields() -> dict[str, str]:
    """The fields and what they are, by their declaration."""
    text = re.sub(r"\n\s{9,}", " ", LogFields.__doc__ or "")
    found = re.findall(r"^\s+([a-z_]+): (.*)$", text, re.MULTILINE)
    return {name: means for name, means in found if name in LogFields.__annotations__}


def events() -> set[tuple[str, str, str]]:
    """Logger, level and message of every call in the code that logs."""
    found = set()
    for package in PACKAGES:
        for file in sorted((ROOT / package / "src").rglob("*.py")):
            module = ".".join(file.relative_to(ROOT / package / "src").with_suffix("").parts)
            tree = ast.parse(file.read_text())
            for level, message in _calls(tree):
                text = re.sub(r"%[a-z]|%\.\d+f", "...", message)
                if text.strip(".: "):
                    found.add((module, level or _SAID[module], text))
    return found


def _calls(tree: ast.AST) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="_LOG" | "_log"), attr=level),
                args=[said, *_],
            ) if level in _LEVELS:
                for each in [said.body, said.orelse] if isinstance(said, ast.IfExp) else [said]:
                    if isinstance(each, ast.Constant) and isinstance(each.value, str):
                        yield level.replace("exception", "error"), each.value
            case ast.Call(
                func=ast.Attribute(attr="_say"), args=[ast.Constant(value=str(message)), *_]
            ):
                yield "", message


def page() -> str:
    """The page."""
    rows = [f"| `{name}` | {means} |" for name, means in fields().items()]
    told = [f"| `{logger}` | {level} | {message} |" for logger, level, message in sorted(events())]
    return _HEAD.format(fields="\n".join(rows), events="\n".join(told))


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
