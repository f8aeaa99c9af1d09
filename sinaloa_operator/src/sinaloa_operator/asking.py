"""What anybody may ask of an isolate, asked: whether it is one that the policy accepts."""

from pathlib import Path
from typing import Final

from durango import attest
from sinaloa_operator.names import SINALOA_PORT
from veracruz_shells.tls_files import ClientFiles
from veracruz_utils.address import Address
from veracruz_utils.errors import VeracruzError
from veracruz_utils.policy import Policy

_PATIENCE_S: Final = 10.0


def ask(policy: Policy, address: str, tabasco_ca: Path | None) -> str:
    """What is wrong with the isolate behind the bridge at this IP address; empty is nothing.

    The operator holds no principal's key, and opens no session.
    """
    tls = None if tabasco_ca is None else ClientFiles(tabasco_ca)
    try:
        attest(
            policy,
            sinaloa=Address(address, SINALOA_PORT),
            tabasco_tls=tls,
            timeout_s=_PATIENCE_S,
        )
    except VeracruzError as error:
        return str(error) or type(error).__name__
    return ""
