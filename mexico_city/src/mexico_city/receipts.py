"""The receipts of a computation: one for each run, numbered, each naming the one before it.

Every member may ask for any of them, of runs that failed as well. What the program says in numbers
and the digest of its result are in those of readers alone: who may not have the result could find
it by its digest, and a program could tell its author what it read by its return code or its fuel.
A reader has them of the rounds whose result it has had, or may still have.
Under `debug` its author is told as well.

The newest 64 MiB are kept, which are some tens of thousands of runs with few inputs, and 256 of
runs with 4096.
"""

import hashlib
import time
from collections import deque
from collections.abc import Callable, Collection
from typing import Final

from colima.runtime import ContentKind, RefusalReason
from execution_engine.strategy import engine_version
from mexico_city.computation import Job
from mexico_city.errors import DeniedError
from psa_attestation.receipts.receipt import (
    InputCommitment,
    PrivacyBalance,
    Receipt,
    RunDetails,
    RunEnd,
)
from psa_attestation.receipts.signing import SignedReceipt
from veracruz_utils.frozen import frozen
from veracruz_utils.policy import PROGRAM_SENDERS, IsolationLayer, Policy, PolicyIdentity

MAX_KEPT_BYTES: Final = 64 * 1024 * 1024
_FEW_BYTES: Final = 512
"""Of a receipt besides header and payload: signature, details, and what Python needs."""

Sign = Callable[[Receipt], SignedReceipt]

END_OF: Final = {
    RefusalReason.TRAPPED: RunEnd.TRAPPED,
    RefusalReason.LIMIT_REACHED: RunEnd.LIMIT_REACHED,
}
"""How a run ended that the guest or its limits ended; every other end is a lost guest's."""


@frozen
class EndedRun:
    """What the front saw of a run; see `RunDetails`."""

    end: RunEnd
    return_code: int | None = None
    output_digest: bytes | None = None
    run_ms: int | None = None
    fuel: int | None = None
    privacy: PrivacyBalance | None = None


class ReceiptBook:
    """Writes receipts, and keeps them."""

    def __init__(
        self,
        policy: Policy,
        sign: Sign,
        *,
        measurement: bytes,
        layers: Collection[IsolationLayer],
        host_time: Callable[[], float] = time.time,
        kept_bytes: int = MAX_KEPT_BYTES,
    ) -> None:
        self.count = 0
        self._policy = policy
        self._sign = sign
        self._measurement = measurement
        self._layers = tuple(sorted(layers))
        self._readers = tuple(sorted(policy.result_readers))
        self._host_time = host_time
        self._kept: deque[tuple[int, SignedReceipt]] = deque()
        self._kept_bytes = 0
        self._most_bytes = kept_bytes
        self._last: tuple[int, int] | None = None

    def write(self, job: Job, turn: int, report: EndedRun) -> bytes:
        """The signed receipt, as readers have it, of a run that has just ended in round `turn`."""
        policy = self._policy
        before = hashlib.sha256(self._kept[-1][1].closed).digest() if self._kept else None
        receipt = Receipt(
            policy_digest=policy.digest.value,
            program_digest=policy.program_digest.value,
            number=self.count + 1,
            previous_receipt=before,
            round=turn,
            attempt=self._attempt(turn),
            inputs=_commitments(job),
            end=report.end,
            details=RunDetails(
                return_code=report.return_code,
                output_digest=report.output_digest,
                run_ms=report.run_ms,
                fuel=report.fuel if policy.limits.fuel is not None else None,
            ),
            readers=self._readers,
            strategy=policy.strategy.value,
            engine=engine_version(),
            debug=policy.debug,
            isolation=self._layers,
            measurement=self._measurement,
            host_time=max(0, int(self._host_time())),
            seed=job.seed or None,
            canonical_nans=policy.conduct.canonical_nans,
            privacy=report.privacy,
        )
        signed = self._sign(receipt)
        self.count += 1
        self._last = (turn, receipt.attempt)
        self._keep(turn, signed)
        return signed.opened

    def receipt(
        self, number: int, member: PolicyIdentity, *, may_have: Callable[[int], bool]
    ) -> bytes:
        """The receipt of this number, from 1, with the details if this member may know them.

        Args:
            number: which.
            member: who asks.
            may_have: whether this member, a reader, has had the result of a round, or may have it.

        Raises:
            DeniedError: there is none, or it is not kept any more.
        """
        first = self.count - len(self._kept) + 1
        if not first <= number <= self.count:
            kept = f"{first} to {self.count}" if self.count else "no run has ended yet"
            raise DeniedError(RefusalReason.NOT_EXPECTED, found=f"receipt {number}", expected=kept)
        turn, signed = self._kept[number - first]
        knows = (member.client_id in self._readers and may_have(turn)) or (
            self._policy.debug and PROGRAM_SENDERS & member.roles
        )
        return signed.opened if knows else signed.closed

    def _attempt(self, turn: int) -> int:
        if self._last is None or self._last[0] != turn:
            return 1
        return self._last[1] + 1

    def _keep(self, turn: int, signed: SignedReceipt) -> None:
        self._kept.append((turn, signed))
        self._kept_bytes += _size(signed)
        # Never the newest, whose digest the next one names.
        while self._kept_bytes > self._most_bytes:
            self._kept_bytes -= _size(self._kept.popleft()[1])


def _size(signed: SignedReceipt) -> int:
    # The certificate is one for all of them.
    return _FEW_BYTES + len(signed.protected) + len(signed.payload)


def _commitments(job: Job) -> tuple[InputCommitment, ...]:
    return tuple(
        InputCommitment(
            client_id=package.slot.client_id,
            package_id=package.slot.package_id,
            kind="data" if package.slot.kind is ContentKind.DATA else "stream",
            commitment=package.commitment,
        )
        for package in (*job.inputs, *job.streams)
    )
