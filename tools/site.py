"""Build the documentation as a site: `python tools/site.py FOLDER`.

This version goes into FOLDER/VERSION, beside those that were built there before; every page can
change to another version, of which FOLDER/versions.json is the list. What Sphinx warns of, such as
a link that leads nowhere or a page that nobody finds, is an error.
"""

import json
import shutil
import sys
import tomllib
from pathlib import Path

from packaging.version import Version
from sphinx.cmd.build import main as sphinx_build

ROOT = Path(__file__).parents[1]


def main() -> int:
    """Build into the folder that the command line names."""
    folder = Path(sys.argv[1])
    about = tomllib.loads((ROOT / "durango/pyproject.toml").read_text("utf-8"))
    version = about["project"]["version"]
    shutil.rmtree(folder / version, ignore_errors=True)
    doctrees = folder / ".doctrees"
    options = ["-q", "-W", "--keep-going", "-E", "-c", str(ROOT / "docs"), "-d", str(doctrees)]
    status: int = sphinx_build([*options, str(ROOT), str(folder / version)])
    shutil.rmtree(doctrees, ignore_errors=True)
    if status:
        return status
    pages = folder.glob("*/docs/README.html")
    newest, *older = sorted((each.parts[-3] for each in pages), key=Version, reverse=True)
    names = {newest: f"{newest} (newest)"} | {each: each for each in older}
    entries = [{"name": names[each], "version": each, "url": f"../{each}/"} for each in names]
    (folder / "versions.json").write_text(json.dumps(entries, indent=2) + "\n", "utf-8")
    _redirect(folder / "index.html", f"{newest}/docs/README.html")
    _redirect(folder / version / "index.html", "docs/README.html")
    print(f"the site is in {folder / 'index.html'}")  # noqa: T201
    return 0


def _redirect(page: Path, to: str) -> None:
    page.write_text(
        f'<!doctype html>\n<meta charset="utf-8">\n<title>Veracruz</title>\n'
        f'<meta http-equiv="refresh" content="0; url={to}">\n<a href="{to}">Documentation</a>\n',
        "utf-8",
    )


if __name__ == "__main__":
    sys.exit(main())
