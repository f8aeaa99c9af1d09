"""Collect what pages say, and write their German catalogues as they are loaded.

    python tools/texts.py          all files, from the sources and the translations there are
    python tools/texts.py --check  only say what is not as it should be

Translators write in `NAME.po`; `NAME.mo` is the same as gettext loads it.
"""

import io
import json
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from babel.messages import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

REPOSITORY = Path(__file__).parent.parent
PAGES = {"durango": "durango ui", "sinaloa": "sinaloa serve --dashboard"}
"""Whose catalogue there is, and the command whose page it is of."""
KEYWORDS = {
    "_": None,
    "gettext": None,
    "ngettext": (1, 2),
    "N_": None,
    "say": None,
    "say_many": (2, 3),
}


def root(package: str) -> Path:
    """Where a package's sources are."""
    return REPOSITORY / package / "src" / package


def folder(package: str) -> Path:
    """Where a package's catalogue is."""
    return root(package) / "locale" / "de" / "LC_MESSAGES"


def collected(package: str) -> Catalog:
    """All that there is to say, without translations."""
    found = Catalog(locale="de", project=f"veracruz-{package}", charset="utf-8")
    methods = [("**.py", "python"), ("**/templates/**.html", "jinja2")]
    options = {"**/templates/**.html": {"trimmed": "true", "newstyle_gettext": "true"}}
    for name, _, message, comments, _ in sorted(
        extract_from_dir(str(root(package)), methods, options, keywords=KEYWORDS),
        key=lambda each: each[:2],
    ):
        # Without lines: they change with everything.
        found.add(message, None, [(name, 0)], auto_comments=comments)
    if package == "durango":
        for said in sorted(_of_programs()):
            found.add(said, None, [("policy/known_programs.json", 0)])
    return found


def _of_programs() -> Iterator[str]:
    """What authors say of the programs that are known."""
    for program in json.loads(
        (root("durango") / "policy" / "known_programs.json").read_text()
    ).values():
        yield program["summary"]
        yield from program["codes"].values()
        yield from program["learns"].values()
        for who in program["learns"]:
            # Where the policy tells who that is, its name takes the place of the number.
            yield re.sub(r" \(input \d+\)$", "", who)


def translated(package: str) -> Catalog:
    """The same, with the translations that there are."""
    kept = folder(package) / f"{package}.po"
    there = read_po(io.BytesIO(kept.read_bytes() if kept.exists() else b""), locale="de")
    there.update(collected(package), no_fuzzy_matching=True)
    there.obsolete.clear()
    return there


def files(package: str) -> dict[Path, bytes]:
    """Both files of a package, whenever they are written."""
    catalogue, place = translated(package), folder(package)
    po, mo = io.BytesIO(), io.BytesIO()
    write_po(po, catalogue, width=100, omit_header=True, include_lineno=False, sort_output=True)
    head = (
        f"# What the page of `{PAGES[package]}` says in German.\n"
        'msgid ""\nmsgstr ""\n"Language: de\\n"\n'
        '"Content-Type: text/plain; charset=utf-8\\n"\n'
        '"Plural-Forms: nplurals=2; plural=(n != 1);\\n"\n\n'
    )
    written = head.encode() + po.getvalue()
    loaded = read_po(io.BytesIO(written), locale="de")
    loaded.creation_date = loaded.revision_date = datetime(2026, 1, 1, tzinfo=UTC)
    write_mo(mo, loaded)
    return {place / f"{package}.po": written, place / f"{package}.mo": mo.getvalue()}


def main() -> None:
    """Write, or check."""
    for package in PAGES:
        for path, content in files(package).items():
            if "--check" not in sys.argv:
                path.write_bytes(content)
            elif path.read_bytes() != content:
                sys.exit(f"{path.name} is not what the sources say: run `make texts`")


if __name__ == "__main__":
    main()
