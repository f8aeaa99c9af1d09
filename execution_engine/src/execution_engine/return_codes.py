"""What programs mean by the number `main` returns: a convention of their library.

The engine gives no meaning to it; -6 means something else here than the status of that number.
"""

from typing import Final

RETURN_CODES: Final = {
    0: "Success",
    -1: "Generic",
    -2: "DataSourceCount",
    -3: "DataSourceSize",
    -4: "BadInput",
    -5: "InvariantFailed",
    -6: "NotImplemented",
    -7: "ServiceUnavailable",
}


def return_code_name(code: int) -> str:
    """The name programs give to a return code, or "unknown"."""
    return RETURN_CODES.get(code, "unknown")
