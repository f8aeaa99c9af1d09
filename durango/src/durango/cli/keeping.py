"""Bundles as commands write them."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from durango.bundles import ReceiptBundle
from durango.cli.membership import Access
from durango.errors import ProgramFailedError
from durango.evidence import Attestation
from durango.refusals import RequestFailedError, RequestRefusedError
from veracruz_shells.console import note, write_new_file
from veracruz_utils.errors import VeracruzError
from veracruz_utils.frozen import frozen

if TYPE_CHECKING:
    from durango.principal import Principal


@frozen
class BundleFile:
    """Where a command keeps receipts, with what they are verified by; without a path, nowhere."""

    path: Path | None
    access: Access
    attestation: Attestation
    force: bool

    def keep(self, receipts: Iterable[bytes]) -> None:
        """Write the bundle with these signed receipts."""
        if self.path is None:
            return
        bundle = ReceiptBundle.of(
            receipts,
            self.attestation,
            self.access.policy,
            tabasco_key=self.access.tabasco_key,
        )
        write_new_file(self.path, bundle.to_bytes(), mode=0o600, force=self.force)

    def keep_failed(self, principal: "Principal", error: VeracruzError) -> None:
        """Write the bundle with the receipt of the run that failed with `error`, if there was one.

        What goes wrong with that is told as a warning, and hides nothing of the failure.
        """
        if self.path is None:
            return
        try:
            if isinstance(error, ProgramFailedError):
                self.keep([error.signed_receipt])
            elif isinstance(error, RequestFailedError | RequestRefusedError) and error.of_a_run:
                self.keep([principal.receipt(principal.state().receipts)[1]])
        except VeracruzError as problem:
            note(f"warning: the receipt of the run is not kept: {problem}")
