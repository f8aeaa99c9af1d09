"""`durango receipt page`: the page that verifies receipts in a browser."""

from pathlib import Path

import click

from durango.cli.options import FILE, force_option
from durango.receipt_page import receipt_page
from veracruz_shells.console import emit, json_option, write_new_file
from veracruz_utils.digest import Digest


@click.command("page")
@click.option(
    "--output", type=FILE, required=True, help="The file to write, such as receipts.html."
)
@force_option
@json_option
def page(*, output: Path, force: bool, as_json: bool) -> None:
    """Write the page that checks bundles of receipts in a browser, as `verify` does.

    It is one file for somebody without Veracruz: it works from a disk, loads nothing, sends nothing
    anywhere. Every installation of this version writes the same bytes, so whoever is given the page
    can ask somebody else for the digest that this prints.
    """
    made = receipt_page()
    write_new_file(output, made, mode=0o644, force=force)
    digest = Digest.of(made)
    emit(
        {"file": output, "digest": digest},
        f"{output} checks bundles of receipts in a browser; its SHA-256 is {digest}",
        as_json=as_json,
    )
