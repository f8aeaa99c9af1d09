"""A principal's session with an attested isolate.

What the policy does not give this identity is refused here, before anything is sent; the isolate
decides all of it again for itself.
"""

import time
from collections.abc import Callable
from dataclasses import field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Self

from baja import EndpointConfig
from baja.client import ClientEndpoint
from colima import runtime
from colima.runtime import ComputationState, ContentKind, RefusalReason
from durango._html import bullets, heading
from durango._words import printable
from durango.content import Source, open_content
from durango.endings import expiry_explained
from durango.errors import DurangoError, ProgramFailedError, ProtocolError, ReceiptError
from durango.evidence import Attestation
from durango.halt import Halt
from durango.identity import Identity, require_member
from durango.input_places import place_of
from durango.lifeline import Lifeline, Notice
from durango.refusals import RequestFailedError, RequestRefusedError
from durango.rights import (
    require_attested,
    require_place,
    require_program,
    require_reader,
    require_role,
    require_sender,
    require_size,
)
from durango.session import PrincipalSession
from durango.standing import ComputationStatus, is_reached
from durango.traces import CONNECT, GET_RESULT, SEND_INPUT, SEND_PROGRAM, STATUS, WAIT
from durango.transfers import Progress
from durango.ways import TransportKind, Way
from jalisco import Connection
from veracruz_shells.traces import tell
from veracruz_utils.address import Address
from veracruz_utils.digest import Digest
from veracruz_utils.frozen import frozen
from veracruz_utils.policy import PROGRAM_SENDERS, Policy, PolicyIdentity
from veracruz_utils.secret import Secret

if TYPE_CHECKING:
    # Loaded when there is something to send or a receipt to read: asking for the state needs none.
    from durango.receipts import CommitmentOpening
    from psa_attestation.receipts.receipt import Receipt

SERVER_NAME: Final = "runtime.veracruz"
"""What the TLS hello calls the isolate; the same for all, and proof of nothing."""

MAX_RESULT_IN_MEMORY_BYTES: Final = 256 * 1024 * 1024
_POLL_S: Final = 0.2


@frozen
class FetchedResult:
    """What a run gave that ended well.

    Attributes:
        output_size: bytes of the result; None when the program wrote none.
        output_digest: SHA-256 of the result; None when there is none.
        receipt: the runtime's account, verified against the attestation, the policy and the bytes.
        signed_receipt: the same as it was signed, for `verify_receipt` on another day.
    """

    output_size: int | None
    output_digest: Digest | None
    receipt: "Receipt"
    signed_receipt: bytes = field(repr=False)

    def __repr__(self) -> str:
        size = "no result" if self.output_size is None else f"{self.output_size} bytes"
        run = self.receipt
        return f"<FetchedResult: {size}, receipt {run.number} of round {run.round}>"

    def _repr_html_(self) -> str:
        from durango.receipts import receipt_table  # noqa: PLC0415

        found = "no result" if self.output_size is None else f"result of {self.output_size} bytes"
        return (
            heading(f"{found}, with its receipt")
            + bullets(["verified against the attestation, the policy and the bytes"])
            + receipt_table(self.receipt)
        )


class Principal:
    """An open session; made by `Principal.connect`."""

    def __init__(
        self,
        session: PrincipalSession,
        policy: Policy,
        member: PolicyIdentity,
        attestation: Attestation,
        *,
        halt: Halt,
        way: Way,
    ) -> None:
        self._session = session
        self._way = way
        self._policy = policy
        self._member = member
        self._attestation = attestation
        self._halt = halt

    @classmethod
    def connect(
        cls,
        policy: Policy,
        identity: Identity,
        attestation: Attestation,
        *,
        sinaloa: Address | None = None,
        transport: TransportKind = TransportKind.AUTO,
        bulk: Address | None = None,
        timeout_s: float = 60.0,
        patience_s: float | None = None,
        notice: Notice = lambda _: None,
        halt: Halt | None = None,
    ) -> Self:
        """A session with the isolate that `attestation` is about.

        Args:
            policy: the principal's own copy, whatever it says of dates: those are judged before
                anything is sent, and not to ask, to fetch and to end.
            identity: who the principal is; one of the policy's.
            attestation: from `attest`, for this policy and still in force.
            sinaloa: where the bridge is, if not where the policy says.
            transport: how the bytes get there; AUTO is bare TCP if the bridge has a port for it
                that can be reached, and else gRPC.
            bulk: where that port is, if not where the bridge says.
            timeout_s: for each answer that needs no program to run.
            patience_s: how long to try again when the connection breaks later on, each time;
                `timeout_s` if it is not given. What was sent or fetched is gone on with.
            notice: called with a line for people when that happens.
            halt: ends the session from another thread, even while it is being opened.

        Raises:
            NotAuthorisedError: the identity is not the policy's, or the attestation not for it.
            SessionError: the isolate cannot be reached, is another one, or refuses the identity.
            HaltedError: `halt` was engaged.
        """
        halt = halt or Halt()
        now = datetime.now(UTC)
        identity.require_valid(now)
        member = require_member(policy, identity)
        require_attested(policy, attestation, now)
        way = Way(policy, sinaloa or policy.sinaloa, transport=transport, bulk=bulk, halt=halt)

        def open_connection(timeout_s: float) -> Connection:
            endpoint = ClientEndpoint(
                EndpointConfig(policy.ciphersuite, identity.private_key, identity.certificate),
                # All that is believed of whoever answers: the bridge's address proves nothing.
                server_certificate_digest=attestation.certificate_digest,
                server_name=SERVER_NAME,
            )
            with CONNECT.span(policy=str(policy.digest)):
                transport = way.transport(timeout_s)
                tell(transport=way.taken)
                return Connection.open(transport, endpoint, timeout_s=timeout_s)

        with expiry_explained(policy):
            line = Lifeline(
                open_connection,
                timeout_s=timeout_s,
                patience_s=timeout_s if patience_s is None else patience_s,
                notice=notice,
                is_over=lambda: datetime.now(UTC) >= policy.expires_at,
                halt=halt,
            )
        session = PrincipalSession(line, policy, timeout_s=timeout_s)
        return cls(session, policy, member, attestation, halt=halt, way=way)

    @property
    def transport(self) -> TransportKind:
        """How its bytes get to the bridge: GRPC or TCP; another connection may take another way."""
        return self._way.taken

    @property
    def client_id(self) -> int:
        """The number the policy gives this principal."""
        return self._member.client_id

    @SEND_PROGRAM.around
    def send_program(self, source: Source, *, on_progress: Progress | None = None) -> Digest:
        """Provide the program, once it is certain to be the policy's; its digest.

        Args:
            source: bytes, a path, or a binary file.
            on_progress: called with the number of bytes sent.

        Raises:
            RefusedError: not this principal's to send, not the policy's program, or too large.
            RequestFailedError: not now.
            ContentError: the file cannot be read.
        """
        require_sender(self._policy, self._member, ContentKind.PROGRAM)
        self._policy.require_in_force(datetime.now(UTC))
        with open_content(source, check=self._halt.check) as content:
            require_size(content, self._policy.limits.program_bytes, "program_bytes")
            # The isolate refuses a wrong file when it has all of it; here it does not leave.
            require_program(content, self._policy)
            digest = self._policy.program_digest
            tell(bytes_out=content.size)
            self._session.upload(
                runtime.Upload(ContentKind.PROGRAM, 0, content.size, digest.value),
                content,
                runtime.Done,
                patience_s=self._policy.limits.compile_seconds,
                on_progress=on_progress,
            )
        return digest

    def send_data(
        self,
        package_id: int,
        source: Source,
        *,
        replace: bool = False,
        on_progress: Progress | None = None,
    ) -> "CommitmentOpening":
        """Provide an input; the opening that proves it in a receipt.

        Args:
            package_id: the number of the input among those of this principal; the program sees
                them in rising order.
            source: bytes, a path, or a binary file; read in pieces, whatever its size.
            replace: it comes in place of what is in under this number, which stays until then.
            on_progress: called with the number of bytes sent.

        Raises:
            RefusedError: not this principal's to send, no place for it, too large, or not of the
                type that the policy says.
            RequestFailedError: not now.
            ContentError: the file cannot be read.
        """
        announced = ContentKind.DATA, package_id, replace
        return self._send_input(*announced, source, on_progress)

    def send_stream(
        self,
        package_id: int,
        source: Source,
        *,
        replace: bool = False,
        on_progress: Progress | None = None,
    ) -> "CommitmentOpening":
        """Provide a stream item of this round; like `send_data` otherwise.

        Args:
            package_id: the number of the item among those of this principal.
            source: bytes, a path, or a binary file.
            replace: it comes in place of what is in under this number.
            on_progress: called with the number of bytes sent.
        """
        announced = ContentKind.STREAM, package_id, replace
        return self._send_input(*announced, source, on_progress)

    def withdraw(self, kind: ContentKind, package_id: int) -> None:
        """Take back an own input, which is in no result yet.

        Args:
            kind: data or stream.
            package_id: its number.

        Raises:
            RefusedError: not this principal's, or it is not in.
            RequestFailedError: a run is under way, or the input is in a result.
        """
        require_sender(self._policy, self._member, kind)
        require_place(self._policy, self._member, kind, package_id)
        request = runtime.Withdraw(kind, package_id)
        self._session.ask_once("withdrawal", request, runtime.Done)

    def result(self, *, retry: bool = False) -> tuple[bytes | None, FetchedResult]:
        """The result in memory, None when the program wrote none; the first request runs it.

        Args:
            retry: have the program run again after a run that failed, though no input changed.

        Raises:
            NotAuthorisedError: this principal is not a reader.
            ProgramFailedError: the program returned an error code.
            RequestFailedError: not everything is in, or the run failed.
            ProtocolError: the result is larger than 256 MiB; use `save_result`.
            ReceiptError: the receipt does not fit the result.
        """
        pieces: list[bytes] = []
        limit = MAX_RESULT_IN_MEMORY_BYTES
        outcome = self._fetch(pieces.append, limit=limit, retry=retry)
        return None if outcome.output_size is None else b"".join(pieces), outcome

    def save_result(
        self, write: Callable[[bytes], object], *, retry: bool = False
    ) -> FetchedResult:
        """The result, handed to `write` piece by piece; the receipt is checked after the last.

        Args:
            write: gets the pieces.
            retry: as for `result`.

        Raises:
            VeracruzError: as for `result`; what `write` got is then not to be used.
        """
        return self._fetch(write, limit=self._policy.limits.output_bytes, retry=retry)

    def next_round(self) -> tuple[int, ...]:
        """Ask for another round: same program and data, new streams.

        It has begun if the answer is empty; otherwise these, by client id, have to ask as well.

        Raises:
            NotAuthorisedError: this principal is not a reader.
            RequestRefusedError: the policy allows no other, or asks for the word of others.
            RequestFailedError: this round is not finished.
        """
        require_reader(self._policy, self._member, "begin another round")
        self._policy.require_in_force(datetime.now(UTC))
        return self._session.agree("next round", runtime.NextRound(), twice=False)

    def shutdown(self) -> tuple[int, ...]:
        """Ask for the end; the isolate ends when every reader has asked.

        These, by client id, have not yet.

        Raises:
            NotAuthorisedError: this principal is not a reader.
        """
        require_reader(self._policy, self._member, "ask for shutdown")
        return self._session.agree("shutdown", runtime.Shutdown(), twice=True)

    @STATUS.around
    def state(self) -> runtime.StateIs:
        """Where the computation stands."""
        return self._state()

    def status(self) -> ComputationStatus:
        """Where the computation stands, with the names of the policy."""
        return ComputationStatus(self.state(), self._policy)

    @WAIT.around
    def wait_for(
        self,
        *states: ComputationState,
        timeout_s: float,
        on_state: Callable[[ComputationStatus], object] = lambda _: None,
    ) -> runtime.StateIs:
        """The state once it is one of `states` and no consent is missing, in ERROR, or out of time.

        Args:
            states: what to wait for.
            timeout_s: how long, for the other principals to do their part.
            on_state: called with what there is, as long as that is not it.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            found = self._state()
            if is_reached(found, states) or time.monotonic() >= deadline:
                return found
            on_state(ComputationStatus(found, self._policy))
            time.sleep(min(_POLL_S, timeout_s))

    def receipt(self, number: int | None = None) -> "tuple[Receipt, bytes]":
        """A receipt: what it says, verified, and as it was signed.

        Any member may have it. `state` says how many there are.

        Args:
            number: which one, from 1; None is the newest.

        Raises:
            DurangoError: no run has ended yet.
            RequestRefusedError: there is none of this number, or it is not kept any more.
            ReceiptError: what came is not this isolate's receipt of that number.
        """
        if number is None:
            number = self._newest_receipt()
        answer = self._session.ask("receipt", runtime.GetReceipt(number), runtime.ReceiptIs)
        receipt = self._believe(answer.receipt, output=None)
        if receipt.number != number:
            raise ReceiptError(f"receipt {number} was asked for, {receipt.number} came")
        return receipt, answer.receipt

    def receipts(self) -> "list[tuple[Receipt, bytes]]":
        """All receipts that the isolate keeps, in their order; as for `receipt` each.

        Raises:
            DurangoError: no run has ended yet.
            ReceiptError: what came is not this isolate's.
        """
        newest = self._newest_receipt()
        found = [self.receipt(newest)]
        for earlier in range(newest - 1, 0, -1):
            try:
                found.append(self.receipt(earlier))
            except RequestRefusedError:
                break  # the isolate keeps the newest
        return found[::-1]

    def consent(self, signature: bytes) -> None:
        """Hand in a signed consent to the policy, one's own or another principal's.

        Raises:
            RequestRefusedError: it is none that the policy asks for.
        """
        self._session.ask("consent", runtime.Consent(signature), runtime.Done)

    def revoke_consent(self) -> None:
        """Take one's own consent back, while there was no run.

        Raises:
            RequestRefusedError: it was not given.
            RequestFailedError: a run has begun.
        """
        self._session.ask("revocation", runtime.Revoke(), runtime.Done)

    def policy_digest(self) -> Digest:
        """The digest of the policy the isolate holds."""
        return Digest(
            self._session.ask("policy digest", runtime.GetPolicyDigest(), runtime.DigestIs).digest
        )

    def program_digest(self) -> Digest | None:
        """The digest of the program the isolate holds; None before there is one."""
        try:
            answer = self._session.ask(
                "program digest", runtime.GetProgramDigest(), runtime.DigestIs
            )
        except RequestFailedError as error:
            if error.answer.reason is RefusalReason.WRONG_STATE:
                return None
            raise
        return Digest(answer.digest)

    def failure_report(self) -> runtime.FailureReport | None:
        """How the computation failed, for the program's provider; None while it has not.

        Raises:
            NotAuthorisedError: this principal does not provide the program.
        """
        act = "see why the computation failed"
        require_role(self._policy, self._member, PROGRAM_SENDERS, act)
        try:
            return self._session.ask(
                "failure report", runtime.GetFailureReport(), runtime.FailureReport
            )
        except RequestFailedError as error:
            if error.answer.reason is RefusalReason.WRONG_STATE:
                return None
            raise

    def close(self) -> None:
        """End the session; the computation goes on without it."""
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        isolate = self._attestation.certificate_digest.short
        member = printable(self._member.label)
        return f"<Principal: {member} of policy {self._policy.digest.short}, isolate {isolate}>"

    def _state(self) -> runtime.StateIs:
        return self._session.ask("state", runtime.GetState(), runtime.StateIs)

    def _newest_receipt(self) -> int:
        newest = self._state().receipts
        if not newest:
            raise DurangoError("no run has ended yet, so there is no receipt: see `durango status`")
        return newest

    @SEND_INPUT.around
    def _send_input(
        self,
        kind: ContentKind,
        package_id: int,
        replace: bool,  # noqa: FBT001 - by position with what announces it
        source: Source,
        on_progress: Progress | None,
    ) -> "CommitmentOpening":
        from durango.input_files import check_input  # noqa: PLC0415 - the encodings
        from durango.receipts import CommitmentOpening  # noqa: PLC0415

        require_sender(self._policy, self._member, kind)
        require_place(self._policy, self._member, kind, package_id)
        self._policy.require_in_force(datetime.now(UTC))
        with open_content(source, check=self._halt.check) as content:
            limits = self._policy.limits
            require_size(content, limits.input_bytes, "input_bytes")
            require_size(content, limits.total_input_bytes, "total_input_bytes")
            tell(content=kind.name.lower(), bytes_out=content.size)
            place = place_of(self._policy, self._member, kind, package_id)
            check_input(content, place, self._policy)
            # First: what the isolate takes in is this and nothing else, whatever the file becomes.
            digest = content.digest()
            answer = self._session.upload(
                runtime.Upload(kind, package_id, content.size, digest.value, replace),
                content,
                runtime.Accepted,
                patience_s=0,
                on_progress=on_progress,
            )
        # Only the salt is the isolate's: our own digest under it shows what was taken in.
        opening = CommitmentOpening(self.client_id, package_id, kind, digest, Secret(answer.salt))
        if opening.commitment != answer.commitment:
            raise ProtocolError(
                f"the isolate committed to other content than {content.name}: "
                "do not rely on its result"
            )
        return opening

    @GET_RESULT.around
    def _fetch(self, write: Callable[[bytes], object], *, limit: int, retry: bool) -> FetchedResult:
        require_reader(self._policy, self._member, "read the result")
        limits = self._policy.limits
        patience_s = limits.compile_seconds + limits.run_seconds
        digest, answer = self._session.fetch(write, limit=limit, patience_s=patience_s, retry=retry)
        if isinstance(answer, runtime.ResultIs):
            tell(bytes_in=answer.size)
        if isinstance(answer, runtime.ProgramFailed):
            # What a failed program wrote is not handed over, so there is nothing to compare.
            self._verify(answer.receipt, return_code=answer.return_code, output=None)
            from durango.return_codes import meaning_of  # noqa: PLC0415

            meaning = meaning_of(answer.return_code, self._policy)
            raise ProgramFailedError(answer.return_code, answer.receipt, meaning=meaning)
        output = digest if answer.present else None
        return FetchedResult(
            output_size=answer.size if answer.present else None,
            output_digest=output,
            receipt=self._verify(answer.receipt, return_code=0, output=output),
            signed_receipt=answer.receipt,
        )

    def _believe(self, signed: bytes, *, output: Digest | None) -> "Receipt":
        from durango.receipts import verify_receipt  # noqa: PLC0415
        from psa_attestation.receipts.receipt import Receipt  # noqa: PLC0415

        receipt = verify_receipt(
            signed, attestation=self._attestation, policy=self._policy, output=output
        )
        if not isinstance(receipt, Receipt):
            raise ReceiptError("the receipt is of the first format, which no isolate writes today")
        return receipt

    def _verify(self, signed: bytes, *, return_code: int, output: Digest | None) -> "Receipt":
        receipt = self._believe(signed, output=output)
        details = receipt.details
        if details is None:
            raise ReceiptError("the receipt is closed, a reader's is open")
        if details.return_code != return_code:
            raise ReceiptError(
                f"the receipt's return code is {details.return_code}, "
                f"the isolate said {return_code}"
            )
        if output is None and details.output_digest is not None:
            raise ReceiptError(
                f"the receipt's output is {details.output_digest.hex()}, the isolate gave none"
            )
        return receipt
