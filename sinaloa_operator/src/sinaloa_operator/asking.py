"""What anybody may ask of an isolate, asked: whether it is one that the policy accepts."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from durango import attest
from sinaloa_operator.names import AUTHORITY_FILE, SINALOA_PORT
from sinaloa_operator.specification import Placement
from veracruz_shells.tls_files import ClientFiles
from veracruz_utils.address import Address
from veracruz_utils.errors import VeracruzError

_PATIENCE_S: Final = 10.0


def ask(placement: Placement, address: str) -> str:
    """What is wrong with the isolate behind the bridge at this IP address; empty is nothing.

    The operator holds no principal's key, and opens no session.
    """
    with TemporaryDirectory() as folder:
        file = Path(folder) / AUTHORITY_FILE
        file.write_text(placement.tabasco_ca)
        try:
            attest(
                placement.policy,
                sinaloa=Address(address, SINALOA_PORT),
                tabasco_tls=ClientFiles(file) if placement.tabasco_ca else None,
                timeout_s=_PATIENCE_S,
            )
        except VeracruzError as error:
            return str(error) or type(error).__name__
    return ""
