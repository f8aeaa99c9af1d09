"""The files of a run that is done again, held against its receipt."""

import hashlib
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import field
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Final, TypeAlias

from durango.bundles import VerifiedBundle
from durango.errors import ContentError, ReceiptError, ReplayError
from durango.receipts import CommitmentOpening, require_input
from psa_attestation.receipts.receipt import Receipt, RunEnd
from veracruz_utils.digest import Digest
from veracruz_utils.frozen import frozen
from veracruz_utils.policy import Policy

Content: TypeAlias = bytes | mmap

_READ_BYTES: Final = 1 << 20
_CLOSED: Final = (
    "the receipt of the round before is closed and does not tell its result, which the program "
    "saw: take those that a reader got"
)


@frozen
class ReplayFiles:
    """What a run was made of, in files.

    Attributes:
        program: the program.
        inputs: the data, in the policy's order.
        streams: the stream items of the round, in the policy's order.
        previous: the result of the round before; None in the first round, and after one without.
    """

    program: Path
    inputs: Sequence[Path]
    streams: Sequence[Path]
    previous: Path | None


@frozen
class OpenFiles:
    """The content of those files.

    Attributes:
        program: which is the receipt's.
        inputs: the data.
        streams: the stream items.
        previous: None in the first round, empty after one without a result.
        unproven: inputs that no opening showed to be those of the receipt, a line each.
    """

    program: bytes = field(repr=False)
    inputs: Sequence[Content] = field(repr=False)
    streams: Sequence[Content] = field(repr=False)
    previous: Content | None = field(repr=False)
    unproven: tuple[str, ...]


def open_files(
    bundle: VerifiedBundle,
    receipt: Receipt,
    files: ReplayFiles,
    openings: Sequence[CommitmentOpening],
    held: ExitStack,
) -> OpenFiles:
    """The content of `files`, for as long as `held` is open, where it is what the receipt says.

    Raises:
        ReplayError: something is missing.
        ReceiptError: a file is not what the receipt says.
        ContentError: a file cannot be read.
    """
    program = _program(files.program, receipt)
    data = [_mapped(path, held) for path in files.inputs]
    streams = [_mapped(path, held) for path in files.streams]
    unproven = _match(receipt, bundle.policy, files, [*data, *streams], openings)
    previous = _previous(bundle, receipt, files.previous, held)
    return OpenFiles(program, data, streams, previous, unproven)


def _program(path: Path, receipt: Receipt) -> bytes:
    try:
        code = path.read_bytes()
    except OSError as error:
        raise ContentError(f"{path} cannot be read: {error.strerror}") from error
    if (found := Digest.of(code)).value != receipt.program_digest:
        raise ReceiptError(
            f"{path} has digest {found}, the receipt's program is {receipt.program_digest.hex()}"
        )
    return code


def _mapped(path: Path, held: ExitStack) -> Content:
    """The content of a file, without reading it into memory."""
    try:
        file = held.enter_context(path.open("rb"))
        size = file.seek(0, 2)
        # An empty file cannot be mapped.
        return held.enter_context(mmap(file.fileno(), 0, access=ACCESS_READ)) if size else b""
    except (OSError, ValueError) as error:
        raise ContentError(f"{path} cannot be read: {error}") from error


def _digest(content: Content) -> Digest:
    sha256 = hashlib.sha256()
    for start in range(0, len(content), _READ_BYTES):
        sha256.update(content[start : start + _READ_BYTES])
    return Digest(sha256.digest())


def _match(
    receipt: Receipt,
    policy: Policy,
    files: ReplayFiles,
    contents: Sequence[Content],
    openings: Sequence[CommitmentOpening],
) -> tuple[str, ...]:
    """Hold files against the receipt's inputs by their openings; those that have none, by name."""
    for kind, given in (("data", files.inputs), ("stream", files.streams)):
        wanted = sum(each.kind == kind for each in receipt.inputs)
        if len(given) != wanted:
            raise ReceiptError(
                f"the program saw {wanted} inputs of kind {kind}, {len(given)} files are given"
            )
    for opening in openings:
        require_input(receipt, opening)
    digests = {opening.commitment: opening.digest for opening in openings}
    unproven = []
    paths = (*files.inputs, *files.streams)
    for place, path, content in zip(receipt.inputs, paths, contents, strict=True):
        name = f"{place.kind} package {place.package_id} of {policy.named(place.client_id)}"
        expected = digests.get(place.commitment)
        if expected is None:
            unproven.append(f"{path} as {name}")
        elif (found := _digest(content)) != expected:
            raise ReceiptError(f"{path} has digest {found}, {name} had {expected}")
    return tuple(unproven)


def _previous(
    bundle: VerifiedBundle, receipt: Receipt, path: Path | None, held: ExitStack
) -> Content | None:
    """The result of the round before, as the program saw it."""
    if receipt.round == 1:
        if path is not None:
            raise ReceiptError("the program saw no previous result in the first round")
        return None
    before = [
        each
        for each in bundle.receipts
        if isinstance(each, Receipt)
        and each.round == receipt.round - 1
        and each.end is RunEnd.FINISHED
    ]
    if not before:
        raise ReplayError(
            f"the file has no receipt of round {receipt.round - 1}, whose result the program saw: "
            "get them by `durango receipt get --all`"
        )
    if before[-1].details is None:
        raise ReplayError(_CLOSED)
    expected = before[-1].details.output_digest
    if expected is None:
        return b""  # empty, not absent: so a program tells that there was a round
    if path is None:
        raise ReplayError(
            f"the program saw the result of round {receipt.round - 1}: give it with --previous"
        )
    content = _mapped(path, held)
    if (found := _digest(content)).value != expected:
        raise ReceiptError(
            f"{path} has digest {found}, the result of round {receipt.round - 1} had "
            f"{expected.hex()}"
        )
    return content
