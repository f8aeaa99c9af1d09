"""Numbers, sizes, moments and spans of time as a language writes them, for pages.

Outputs of commands are English; `en` here is what they write.
"""

from datetime import datetime
from typing import Final

_UNITS: Final = (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10))
_MINUTE_S: Final = 60
_HOUR_S: Final = 3600
_DAY_S: Final = 86400


def number(count: int, language: str = "en") -> str:
    """A whole number, in groups of three digits."""
    grouped = f"{count:,}"
    return grouped.replace(",", ".") if language == "de" else grouped


def decimal(text: str, language: str = "en") -> str:
    """A number with a decimal point, as this language has the point."""
    return text.replace(".", ",") if language == "de" else text


def size(count: int, language: str = "en") -> str:
    """So many bytes, in the largest unit that says it whole."""
    for unit, factor in _UNITS:
        if count and count % factor == 0:
            return f"{number(count // factor, language)} {unit}"
    word = "Byte" if language == "de" else "byte"
    return f"{number(count, language)} {word}{'' if count == 1 else 's'}"


def moment(at: datetime, language: str = "en") -> str:
    """A moment in UTC, to the second: RFC 3339, or day, month and year."""
    return f"{at:%d.%m.%Y, %H:%M:%S} UTC" if language == "de" else f"{at:%Y-%m-%dT%H:%M:%SZ}"


def span(seconds: float, language: str = "en") -> str:
    """How long, in whole minutes, and coarser when it is long; with symbols of all languages."""
    minutes = int(seconds) // _MINUTE_S
    if minutes == 0:
        return "< 1 min"
    if seconds < _HOUR_S:
        return f"{minutes} min"
    if seconds < _DAY_S:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{number(int(seconds) // _DAY_S, language)} d {int(seconds) % _DAY_S // _HOUR_S} h"
