"""A page of a program of ours, in one's own browser and on this machine alone.

`door` keeps others out, `guard` bounds what comes, `serving` listens, `languages` chooses texts,
and `static` has the look and the script that all pages share. It takes the extra `page`.
"""

from pathlib import Path
from typing import Final

STATIC: Final = Path(__file__).parent / "static"
"""What pages load: a style, a script, and htmx."""
