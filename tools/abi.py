"""Write the tables of the guest ABI into the page that is given, between the marks in it."""

import re
import sys
from pathlib import Path

from execution_engine.abi import HOST_CALLS, MODULE, PREFIX, HostCall, HostStatus
from execution_engine.abi_text import CALL_TEXTS, RETURN_CODES


def host_calls() -> str:
    """A row for each call."""
    head = f"| `{MODULE}.{PREFIX}…` | Parameters | On success | Other statuses |\n|---|---|---|---|"
    return "\n".join([head, *map(_row, HOST_CALLS)])


def _row(call: HostCall) -> str:
    text = CALL_TEXTS[call.name]
    refusals = "; ".join(f"{int(status)} {reason}" for status, reason in text.refusals)
    cells = (f"`{call.name}`", ", ".join(call.params), text.effect, refusals)
    return "| " + " | ".join(cells).rstrip() + " |"


def statuses() -> str:
    """A row for each number: as a status, and as what `main` returns."""
    given = {status for text in CALL_TEXTS.values() for status, _ in text.refusals} | {
        HostStatus.SUCCESS
    }
    rows = [
        f"| {int(status)} | `{status.name}`{'' if status in given else ', given by no call'} | "
        f"{_code(RETURN_CODES.get(status))} |"
        for status in HostStatus
    ]
    head = "| Number | Status of a host call | Code of `main`, by convention |\n|---|---|---|"
    return "\n".join([head, *rows])


def _code(name: str | None) -> str:
    return "the program's own" if name is None else f"`{name}`"


def filled(page: str) -> str:
    """The page with its tables as the engine has them."""
    for name, table in (("host calls", host_calls()), ("numbers", statuses())):
        between = re.compile(f"(<!-- {name}, by `make abi` -->\n).*?(<!-- end -->)", re.DOTALL)
        page, count = between.subn(lambda found, text=table: f"{found[1]}{text}\n{found[2]}", page)
        if count != 1:
            raise SystemExit(f"the page has {count} marks for {name}, not one")
    return page


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(filled(path.read_text()))
