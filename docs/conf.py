"""The documentation as a site, built by Sphinx out of the very pages that are read in the tree.

The source is the root of the repository, so that links between pages, and those to the README, are
the same here and there. What stands in which section, and in which order, is what the section's own
`README.md` lists: a page that no list names is an error, as is a link that leads nowhere.
"""

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path

from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

ROOT = Path(__file__).parents[1]
_ABOUT = tomllib.loads((ROOT / "durango/pyproject.toml").read_text("utf-8"))["project"]

project = "Veracruz"
author = "the authors of Veracruz"
release = version = _ABOUT["version"]
extensions = ["myst_nb", "sphinx_copybutton"]
root_doc = "docs/README"
include_patterns = ["*.md", "*/README.md", "sonora/*/README.md", "docs/**/*.md", "docs/**/*.ipynb"]
exclude_patterns = ["build", ".*"]

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

_PROJECTS = sorted([*ROOT.glob("*/pyproject.toml"), *ROOT.glob("sonora/*/pyproject.toml")])
_FOLDERS = [each.parent for each in _PROJECTS] + [ROOT / "benchmarks"]
_LISTED = re.compile(r"^- (?:[^\n]|\n  )*?\]\((?P<target>[^)#]+)", re.MULTILINE)
_PROJECT = ("/README", "/SECURITY", "/CONTRIBUTING", "/CHANGELOG")


def setup(app: Sphinx) -> dict[str, bool]:
    """Let the lists of pages be the navigation."""
    app.add_lexer("wit", TextLexer)
    app.connect("source-read", _with_navigation)
    return {"parallel_read_safe": True}


def _with_navigation(_app: Sphinx, name: str, source: list[str]) -> None:
    """Add what Sphinx wants said once more, where a page is a list of pages."""
    if name == root_doc:
        source[0] += _toctree(_listed(source[0])) + _toctree(_PROJECT)
    elif name == "README":
        source[0] += _toctree(f"/{each.relative_to(ROOT)}/README" for each in _FOLDERS)
    elif re.fullmatch(r"docs/[a-z-]+/README", name):
        source[0] += _toctree(each for each in _listed(source[0]) if each != "../../README")


def _listed(text: str) -> list[str]:
    return [link["target"].removesuffix(".md") for link in _LISTED.finditer(text)]


def _toctree(entries: Iterable[str]) -> str:
    return "\n```{toctree}\n:hidden:\n\n" + "\n".join(entries) + "\n```\n"
