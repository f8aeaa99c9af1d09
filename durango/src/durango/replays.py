"""Doing a run again: the same program, inputs and random numbers, and whether the same comes of it.

Only under a policy that says `deterministic`: there the receipt tells the seed of the program's
random numbers, every NaN has the same bits everywhere, and nothing else that a program can observe
differs between machines. Whoever has
the program and the inputs can do it, anywhere; who has none of them learns nothing by a receipt.
"""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import field
from typing import TYPE_CHECKING, Final

from durango._html import bullets, heading
from durango.bundles import VerifiedBundle
from durango.errors import ReplayError
from durango.receipts import CommitmentOpening, end_words
from durango.replay_files import ReplayFiles, open_files
from psa_attestation.receipts.receipt import Receipt, RunEnd
from veracruz_utils.digest import Digest
from veracruz_utils.frozen import frozen

if TYPE_CHECKING:
    from durango.reruns import Rerun

_REPEATABLE: Final = (RunEnd.FINISHED, RunEnd.ERROR_CODE, RunEnd.TRAPPED)


@frozen
class Replay:
    """What came of a run that was done again.

    Attributes:
        receipt: of the run as it was done in the isolate.
        differences: in what this one differs, a line each; none if it is the same.
        unproven: inputs that no opening showed to be those of the receipt.
        engine: which did it now.
        seconds: how long it took.
        output: the result, if there is one.
    """

    receipt: Receipt
    differences: tuple[str, ...]
    unproven: tuple[str, ...]
    engine: str
    seconds: float
    output: bytes | None = field(repr=False)

    @property
    def same(self) -> bool:
        """Whether the same came of it."""
        return not self.differences

    def __repr__(self) -> str:
        came = "the same" if self.same else "something else"
        return f"<Replay: {came} as in receipt {self.receipt.number}, {self.seconds:.1f} s>"

    def _repr_html_(self) -> str:
        came = "the same" if self.same else "something else"
        head = heading(f"receipt {self.receipt.number}, done again by {self.engine}: {came}")
        unproven = [f"nothing shows that the program saw this: {each}" for each in self.unproven]
        return head + bullets([*self.differences, *unproven])


def replay(
    bundle: VerifiedBundle,
    files: ReplayFiles,
    *,
    number: int | None = None,
    openings: Sequence[CommitmentOpening] = (),
    seconds: float | None = None,
) -> Replay:
    """Do a run of the bundle's again, and compare.

    Args:
        bundle: verified; for a later round than the first with the receipts of the round before.
        files: what the run was made of.
        number: of the receipt; None is the only one, or the newest.
        openings: of the inputs, which show that the files are what the program saw.
        seconds: how long it may take here; None is as long as the policy says.

    Raises:
        ReplayError: the run is none that can be done again, or did not end in time; or the engine
            is not installed, which is an extra.
        ReceiptError: a file is not what the receipt says.
        ContentError: a file cannot be read.
    """
    try:
        from durango.reruns import rerun  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise ReplayError(
            f"doing a run again needs {error.name}: pip install 'veracruz-durango[replay]'"
        ) from error
    receipt = _chosen(bundle, number)
    with ExitStack() as held:
        made_of = open_files(bundle, receipt, files, openings, held)
        began = time.perf_counter()
        found = rerun(receipt, bundle.policy, made_of, seconds=seconds)
    taken = time.perf_counter() - began
    differences = tuple(_differences(receipt, found))
    return Replay(receipt, differences, made_of.unproven, found.engine, taken, found.output)


def _chosen(bundle: VerifiedBundle, number: int | None) -> Receipt:
    fitting = [
        each
        for each in bundle.receipts
        if isinstance(each, Receipt) and number in (None, each.number)
    ]
    if not fitting:
        raise ReplayError(
            "the file has no receipt that tells how to do its run again"
            if number is None
            else f"the file has no receipt {number}"
        )
    receipt = fitting[-1]
    if receipt.seed is None:
        raise ReplayError(
            "the policy does not say deterministic, so the program's random numbers are gone, the "
            "bits of its NaNs may be the processor's, and the run cannot be done again"
        )
    if receipt.end not in _REPEATABLE:
        raise ReplayError(
            f"the run of receipt {receipt.number} ended by {end_words(receipt.end)}, which is no "
            "doing of the program's alone: there is nothing to compare"
        )
    return receipt


def _differences(receipt: Receipt, found: "Rerun") -> list[str]:
    pairs: list[tuple[str, object, object]] = [
        ("end", end_words(found.end), end_words(receipt.end)),
    ]
    if (details := receipt.details) is not None:
        # What a program wrote that reports an error goes to nobody, and is in no receipt.
        released = found.output if found.return_code == 0 else None
        here = None if released is None else str(Digest.of(released))
        pairs += [
            ("return code", found.return_code, details.return_code),
            ("output", here, details.output_digest and details.output_digest.hex()),
        ]
        if receipt.engine == found.engine:  # other ones count otherwise
            pairs.append(("fuel", found.fuel, details.fuel))
    return [
        f"{what} is {_said(one)} here, {_said(other)} in the receipt"
        for what, one, other in pairs
        if one != other
    ]


def _said(value: object) -> str:
    return "none" if value is None else str(value)
