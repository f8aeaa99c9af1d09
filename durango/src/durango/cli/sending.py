"""Sending the program, data and stream items."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click

from colima.runtime import ComputationState, ContentKind
from durango.cli.attested import attestation_facts
from durango.cli.encoding import Encoding, encoding_options, open_input
from durango.cli.keeping import BundleFile
from durango.cli.membership import Membership, membership_options
from durango.cli.options import FILE, force_option
from durango.cli.waiting import wait_for, wait_option
from durango.content import open_content
from durango.evidence import Attestation
from durango.receipts import MAX_OPENING_BYTES, CommitmentOpening
from durango.rights import require_place, require_sender
from veracruz_shells.console import emit, json_option, progress, subgroup
from veracruz_shells.files import new_file

_ACCEPTING: Final = {
    # Data that comes too late is refused at once; streams may wait for another round.
    ContentKind.DATA: tuple(ComputationState)[ComputationState.DATA_SOURCES_LOADING.value :],
    ContentKind.STREAM: (ComputationState.STREAM_SOURCES_LOADING,),
}

_REPLACING: Final = _ACCEPTING[ContentKind.DATA]
"""Whatever may be replaced, and what tells at once that it may not be any more."""

_package_option = click.option(
    "--package",
    type=click.IntRange(0, (1 << 32) - 1),
    default=0,
    show_default=True,
    help="The number of this input among yours; the program sees them in rising order.",
)
_replace_option = click.option(
    "--replace",
    is_flag=True,
    help="Send it in place of what is in under this number, which stays until this is in.",
)
_opening_option = click.option(
    "--opening",
    type=FILE,
    help="Write the opening needed to prove this input in a receipt to this file (mode 0600).",
)

_receipt_option = click.option(
    "--receipt",
    type=FILE,
    help="Keep the attestation that you relied on in this file, with the policy; `durango receipt "
    "get` has the receipts of the runs, when there are any.",
)


@subgroup("program", help="Provide the program.")
def program() -> None:
    """The group."""


@program.command("send")
@membership_options
@click.argument("file", type=FILE)
@json_option
def send_program(*, membership: Membership, file: Path, as_json: bool) -> None:
    """Send the program in FILE, once it is certain to be the one that POLICY names."""
    require_sender(membership.access.policy, membership.member, ContentKind.PROGRAM)
    membership.access.require_in_force()
    with open_content(file) as content:
        principal, attestation = membership.connect()
        with principal, progress("sending", length=content.size) as advance:
            digest = principal.send_program(content, on_progress=advance)
    facts = {
        "program_digest": digest,
        "size": content.size,
        "attestation": attestation_facts(attestation),
    }
    emit(facts, f"sent program {digest}, {content.size} bytes", as_json=as_json)


def _input_group(name: str, kind: ContentKind, *, summary: str, send: str) -> click.Group:
    """The commands about inputs of one kind; `summary` and `send` are their help."""

    @subgroup(name, help=summary)
    def group() -> None:
        """The group."""

    @group.command("send", help=send)
    @membership_options
    @click.argument("file", type=FILE)
    @_package_option
    @_replace_option
    @encoding_options
    @_opening_option
    @_receipt_option
    @wait_option
    @force_option
    @json_option
    def send_input(
        *,
        membership: Membership,
        file: Path,
        package: int,
        replace: bool,
        encoding: Encoding,
        opening: Path | None,
        receipt: Path | None,
        wait: float,
        force: bool,
        as_json: bool,
    ) -> None:
        require_sender(membership.access.policy, membership.member, kind)
        require_place(membership.access.policy, membership.member, kind, package)
        membership.access.require_in_force()
        # Before anything is sent: without its opening an input that is in proves nothing, for good.
        with (
            open_input(file, membership, kind, package, encoding) as content,
            _room_for(opening, force=force) as keep,
        ):
            principal, attestation = membership.connect()
            with principal:
                # Before anything is sent, too: what was relied on is known, whatever comes.
                BundleFile(receipt, membership.access, attestation, force).keep([])
                states = _REPLACING if replace else _ACCEPTING[kind]
                wait_for(principal, states, wait)
                provide = principal.send_data if kind is ContentKind.DATA else principal.send_stream
                with progress("sending", length=content.size) as advance:
                    made = provide(package, content, replace=replace, on_progress=advance)
            keep(made.to_json())
        sender = membership.member.label
        _emit_input(made, sender, content.size, opening, attestation, as_json=as_json)

    @group.command("withdraw", help=f"Take back an own {name} input of POLICY, before a result.")
    @membership_options
    @_package_option
    @json_option
    def withdraw(*, membership: Membership, package: int, as_json: bool) -> None:
        require_sender(membership.access.policy, membership.member, kind)
        require_place(membership.access.policy, membership.member, kind, package)
        principal, _ = membership.connect()
        with principal:
            principal.withdraw(kind, package)
        text = f"{name} package {package} of {membership.member.label} is withdrawn"
        facts = {"client_id": principal.client_id, "kind": name, "package_id": package}
        emit(facts, text, as_json=as_json)

    return group


data = _input_group(
    "data",
    ContentKind.DATA,
    summary="Provide data.",
    send="Send the input in FILE (`-` is standard input) to the isolate of POLICY.",
)
stream = _input_group(
    "stream",
    ContentKind.STREAM,
    summary="Provide stream items.",
    send="Send this round's stream item in FILE (`-` is standard input) to the isolate of POLICY.",
)


@contextmanager
def _room_for(opening: Path | None, *, force: bool) -> Iterator[Callable[[bytes], object]]:
    """Room on the disk for an opening, if one is to be kept; what keeps it."""
    if opening is None:
        yield lambda _: None
        return
    with new_file(opening, mode=0o600, force=force, reserve=MAX_OPENING_BYTES) as file:
        yield file.write


def _emit_input(
    opening: CommitmentOpening,
    sender: str,
    size: int,
    opening_file: Path | None,
    attestation: Attestation,
    *,
    as_json: bool,
) -> None:
    kind = opening.kind.name.lower()
    facts = {
        "kind": kind,
        "client_id": opening.client_id,
        "package_id": opening.package_id,
        "size": size,
        "digest": opening.digest,
        "commitment": opening.commitment,
        "opening": opening_file,
        "attestation": attestation_facts(attestation),
    }
    text = (
        f"sent {kind} package {opening.package_id} of {sender}, {size} bytes\n"
        f"receipts call it {opening.commitment.hex()}"
    )
    emit(facts, text, as_json=as_json)
