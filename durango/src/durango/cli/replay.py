"""`durango replay`: do a run again, and compare."""

from pathlib import Path

import click

from durango.bundles import MAX_BUNDLE_BYTES, ReceiptBundle, verify_bundle
from durango.cli.options import FILE, force_option, load_tabasco_key
from durango.cli.receipt.verifying import in_file, load_opening
from durango.errors import ReplayError
from durango.receipts import receipt_facts, receipt_line
from durango.replay_files import ReplayFiles
from durango.replays import replay
from veracruz_shells.console import (
    SecondsRange,
    emit,
    json_option,
    note,
    progress,
    read_file,
    write_new_file,
)
from veracruz_shells.files import refuse_existing
from veracruz_shells.policy_files import read_policy


@click.command("replay")
@click.argument("bundle", type=FILE)
@click.option("--program", type=FILE, required=True, help="The program.")
@click.option(
    "--input",
    "inputs",
    type=FILE,
    multiple=True,
    help="The data that the program saw, as they were sent, in the policy's order; repeatable.",
)
@click.option(
    "--stream",
    "streams",
    type=FILE,
    multiple=True,
    help="The stream items of the round, in the policy's order; repeatable.",
)
@click.option(
    "--previous", type=FILE, help="The result of the round before, if the run was of a later round."
)
@click.option(
    "--opening",
    "openings",
    type=FILE,
    multiple=True,
    help="The opening of an input, which shows that its file is what the program saw; repeatable.",
)
@click.option(
    "--number",
    type=click.IntRange(1, (1 << 32) - 1),
    help="The number of the receipt, if there are several.  [default: the newest]",
)
@click.option("--policy", type=FILE, help="Your own copy of the policy; see `receipt verify`.")
@click.option(
    "--tabasco-key",
    type=FILE,
    envvar="DURANGO_TABASCO_KEY",
    help="Tabasco's public result key (PEM); see `receipt verify`.",
)
@click.option(
    "--seconds",
    type=SecondsRange(0.001, 30 * 86400),
    help="How long the program may take here.  [default: as long as the policy says]",
)
@click.option("--output", type=FILE, help="Write the result of this run to this file.")
@force_option
@json_option
def replay_command(
    *,
    bundle: Path,
    program: Path,
    inputs: tuple[Path, ...],
    streams: tuple[Path, ...],
    previous: Path | None,
    openings: tuple[Path, ...],
    number: int | None,
    policy: Path | None,
    tabasco_key: Path | None,
    seconds: float | None,
    output: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Do the run of a receipt in BUNDLE again on this machine, and compare the results.

    The policy has to say `deterministic`. Exit status 0 if the same came of it, 1 if not; 3 if the
    bundle does not hold or a file is not what the program saw.
    """
    if output is not None:
        refuse_existing(output, force=force)
    own = None if policy is None else read_policy(policy)
    key = load_tabasco_key(tabasco_key)
    with in_file(bundle):
        parsed = ReceiptBundle.parse(read_file(bundle, limit=MAX_BUNDLE_BYTES, what="receipt"))
        verified = verify_bundle(parsed, policy=own, tabasco_key=key)
    given = [load_opening(path) for path in openings]
    with progress("running the program again"):
        found = replay(
            verified,
            ReplayFiles(program, inputs, streams, previous),
            number=number,
            openings=given,
            seconds=seconds,
        )
    if output is not None and found.output is not None:
        write_new_file(output, found.output, mode=0o600, force=force)
    for each in found.unproven:
        note(f"{each}: nothing shows that the program saw this, give --opening")
    if found.receipt.engine != found.engine:
        note(f"the engine here is {found.engine}, in the isolate it was {found.receipt.engine}")
    if found.receipt.details is None:
        note(
            "the receipt is closed: that the program ended in the same way is all there is to "
            "compare; take one that a reader got"
        )
    if found.differences:
        raise ReplayError(
            f"the run of receipt {found.receipt.number} comes to something else: "
            + "; ".join(found.differences)
        )
    facts = {
        "same": True,
        "receipt": receipt_facts(found.receipt),
        "engine": found.engine,
        "seconds": found.seconds,
        "unproven": list(found.unproven),
    }
    text = f"the same: {receipt_line(found.receipt, verified.policy)}\n{_proven(found.unproven)}"
    emit(facts, text, as_json=as_json)


def _proven(unproven: tuple[str, ...]) -> str:
    if not unproven:
        return "on the inputs that the receipt commits to"
    return f"on inputs of which {len(unproven)} are not shown to be those of the receipt"
