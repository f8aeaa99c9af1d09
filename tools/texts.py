"""Collect what the principal's page says, and write the German catalogue as it is loaded.

    python tools/texts.py          both files, from the sources and the translations there are
    python tools/texts.py --check  only say what is not as it should be

Translators write in `durango.po`; `durango.mo` is the same as gettext loads it.
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

ROOT = Path(__file__).parent.parent / "durango" / "src" / "durango"
FOLDER = ROOT / "locale" / "de" / "LC_MESSAGES"
KEYWORDS = {
    "_": None,
    "gettext": None,
    "ngettext": (1, 2),
    "N_": None,
    "say": None,
    "say_many": (2, 3),
}
HEADER = "# What the page of `durango ui` says in German."


def collected() -> Catalog:
    """All that there is to say, without translations."""
    found = Catalog(locale="de", project="veracruz-durango", charset="utf-8")
    methods = [("**.py", "python"), ("ui/templates/**.html", "jinja2")]
    options = {"ui/templates/**.html": {"trimmed": "true", "newstyle_gettext": "true"}}
    for name, _, message, comments, _ in sorted(
        extract_from_dir(str(ROOT), methods, options, keywords=KEYWORDS), key=lambda each: each[:2]
    ):
        # Without lines: they change with everything.
        found.add(message, None, [(name, 0)], auto_comments=comments)
    for said in sorted(_of_programs()):
        found.add(said, None, [("policy/known_programs.json", 0)])
    return found


def _of_programs() -> Iterator[str]:
    """What authors say of the programs that are known."""
    for program in json.loads((ROOT / "policy" / "known_programs.json").read_text()).values():
        yield program["summary"]
        yield from program["codes"].values()
        yield from program["learns"].values()
        for who in program["learns"]:
            # Where the policy tells who that is, its name takes the place of the number.
            yield re.sub(r" \(input \d+\)$", "", who)


def translated() -> Catalog:
    """The same, with the translations that there are."""
    there = read_po(io.BytesIO((FOLDER / "durango.po").read_bytes()), locale="de")
    there.update(collected(), no_fuzzy_matching=True)
    there.obsolete.clear()
    return there


def files(catalogue: Catalog) -> dict[str, bytes]:
    """Both files, whenever they are written."""
    po, mo = io.BytesIO(), io.BytesIO()
    write_po(po, catalogue, width=100, omit_header=True, include_lineno=False, sort_output=True)
    head = (
        f'{HEADER}\nmsgid ""\nmsgstr ""\n"Language: de\\n"\n'
        '"Content-Type: text/plain; charset=utf-8\\n"\n'
        '"Plural-Forms: nplurals=2; plural=(n != 1);\\n"\n\n'
    )
    written = head.encode() + po.getvalue()
    loaded = read_po(io.BytesIO(written), locale="de")
    loaded.creation_date = loaded.revision_date = datetime(2026, 1, 1, tzinfo=UTC)
    write_mo(mo, loaded)
    return {"durango.po": written, "durango.mo": mo.getvalue()}


def main() -> None:
    """Write, or check."""
    for name, content in files(translated()).items():
        path = FOLDER / name
        if "--check" not in sys.argv:
            path.write_bytes(content)
        elif path.read_bytes() != content:
            sys.exit(f"{name} is not what the sources say: run `make texts`")


if __name__ == "__main__":
    main()
