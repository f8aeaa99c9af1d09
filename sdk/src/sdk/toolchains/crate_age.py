"""Crates that are newer than the Rust that is to build them: what cargo says, and what to do."""

import re
from typing import Final

from sdk.toolchains.rust_found import LEAST_VERSION, REMEDY

_TOO_NEW: Final = re.compile(
    r"lock ?file version `?\d+`? (?:was found|requires)|requires rustc \d"
    r"|is not supported by the following package|edition ?2024"
    r"|older than the `20\d\d` edition|a newer version of (?:Cargo|rustc|Rust)"
)
_LEAST: Final = ".".join(map(str, LEAST_VERSION))


def advice_on_age(words: str, version: str) -> str:
    """What to do where cargo complains that crates, or their lock, are too new; else empty.

    Args:
        words: what cargo says.
        version: the compiler's.
    """
    if not _TOO_NEW.search(words):
        return ""
    return (
        f"\nthe crates, or Cargo.lock, are of a newer Rust than {version}: {REMEDY}, whose Rust is "
        f'{_LEAST}. Or have crates chosen that it builds: write rust-version = "{_LEAST}" under '
        "[package], remove Cargo.lock, and by a cargo from 1.84 on "
        "`CARGO_RESOLVER_INCOMPATIBLE_RUST_VERSIONS=fallback cargo generate-lockfile`"
    )
