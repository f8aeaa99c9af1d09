"""The documentation as a site, built by Sphinx out of the very pages that are read in the tree.

The source is the root of the repository, so that links between pages, and those to the README, are
the same here and there. What stands in which section, and in which order, is what `docs/README.md`
links to: a page that it does not name is an error, as is a link that leads nowhere.
"""

import re
import tomllib
from pathlib import Path

from pygments.lexers.special import TextLexer

ROOT = Path(__file__).parents[1]
_ABOUT = tomllib.loads((ROOT / "durango/pyproject.toml").read_text("utf-8"))["project"]

project = "Veracruz"
author = "the authors of Veracruz"
release = version = _ABOUT["version"]
extensions = ["myst_nb", "sphinx_copybutton"]
root_doc = "docs/README"
include_patterns = ["*.md", "*/README.md", "docs/**/*.md", "docs/**/*.ipynb"]
exclude_patterns = ["build", ".venv", "benchmarks"]

myst_heading_anchors = 4
myst_enable_extensions = ["deflist"]
nb_execution_mode = "off"  # the tests run it
suppress_warnings = ["myst.strikethrough"]
nitpicky = True

html_theme = "pydata_sphinx_theme"
html_title = f"Veracruz {release}"
html_show_sourcelink = False
html_copy_source = False
html_last_updated_fmt = None
html_theme_options = {
    "show_nav_level": 1,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "navbar_end": ["version-switcher", "theme-switcher"],
    "switcher": {"json_url": "../versions.json", "version_match": release},
    "check_switcher": False,  # it stands beside the versions, not within one
}
copybutton_prompt_text = r"\$ "
copybutton_prompt_is_regexp = True

_PACKAGES = sorted(ROOT.glob("*/pyproject.toml"))
_SECTION = re.compile(r"^\*\*(?P<name>[^*]+)\*\*: (?P<links>.*?)(?=^\*\*|^Commands|\Z)", re.M | re.S)
_LINK = re.compile(r"\]\((?P<target>[^)#]+)(?:#[^)]*)?\)")


def setup(app):
    """Let the front page's sections be those of the navigation."""
    app.add_lexer("wit", TextLexer)
    app.connect("source-read", _with_sections)
    return {"parallel_read_safe": True}


def _with_sections(_app, name, source):
    if name == "docs/adr/README":
        source[0] += _toctree("[0-9]*")
    if name == "README":
        source[0] += _toctree("\n".join(f"/{each.parent.name}/README" for each in _PACKAGES))
    if name != root_doc:
        return
    for section in _SECTION.finditer(source[0]):
        targets = [link["target"] for link in _LINK.finditer(section["links"])]
        entries = "\n".join(_entry(each) for each in dict.fromkeys(targets))
        source[0] += _toctree(entries, f":caption: {section['name']}\n")


def _toctree(entries, options=""):
    return f"\n```{{toctree}}\n:hidden:\n:glob:\n{options}\n{entries}\n```\n"


def _entry(target):
    return f"/{target.removeprefix('../')}" if target.startswith("../") else target
