"""Names of people in names of files."""

import re
from typing import Final

_OTHERS: Final = re.compile(r"(?:[^\w.\x80-\U0010ffff]|\s)+")


def file_name_of(name: str) -> str:
    """A name as the beginning of a file's, which no shell takes for anything else.

    Letters and digits of any script, dots and underscores stay; what else is between them becomes
    one hyphen: `Möbel & Söhne` is `Möbel-Söhne`.
    """
    return _OTHERS.sub("-", name).strip("-") or "identity"
