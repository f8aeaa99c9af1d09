"""`durango receipt`: get receipts, and hold them against one's own files."""

from typing import Final

from veracruz_shells.console import subgroup

_COMMANDS: Final = {
    "get": (
        "durango.cli.receipt.getting:get",
        "Fetch receipts of POLICY's computation, of runs that failed too; every member may.",
    ),
    "page": (
        "durango.cli.receipt.page:page",
        "Write the page that checks bundles of receipts in a browser, as `verify` does.",
    ),
    "verify": (
        "durango.cli.receipt.verifying:verify",
        "Check the receipts in FILE, a bundle, offline and at any later time.",
    ),
}


@subgroup("receipt", help="Get the runtime's account of its runs, and check it.")
def receipt() -> None:
    """The group."""


receipt.elsewhere = _COMMANDS
