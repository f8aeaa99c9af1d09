"""What a principal talks to, in this process: a bridge, an isolate behind it, and Tabasco.

The gRPC servers, the TLS end, the tokens, the results and the receipts are real. The isolate keeps
a tiny scripted state instead of running programs: `compute` gets the inputs and gives the output.
Tests spoil one thing at a time through the public attributes.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import colima
from baja import (
    EndpointConfig,
    HandshakeCompleted,
    KeyAndCertificate,
    PeerClosed,
    PeerError,
    PlaintextReceived,
    ServerContext,
    make_certificate,
)
from colima import runtime, sinaloa, tabasco
from colima.framing import FrameDecoder, frame
from colima.runtime import ComputationState, ContentKind, RefusalReason, ResponseStatus
from durango import Identity
from mexico_city.consents import Consents
from mexico_city.errors import DeniedError
from psa_attestation.evidence.software import implementation_id_of
from psa_attestation.receipts.receipt import (
    InputCommitment,
    Receipt,
    RunDetails,
    RunEnd,
    commit,
)
from psa_attestation.receipts.signing import sign_receipt
from psa_attestation.receipts.verification import closed_digest
from psa_attestation.results.appraisal import Appraisal, Tier
from psa_attestation.results.ear import sign_ear
from psa_attestation.results.ear_claims import Ear, VerifierId
from psa_attestation.tokens.claims import Claims, PsaProfile, SoftwareComponent
from psa_attestation.tokens.instance_id import instance_id_of
from psa_attestation.tokens.token import mint_token, verify_token
from support.blocking_streams import blocking
from veracruz_shells.service import GrpcService, ServiceLimits
from veracruz_utils.address import Address
from veracruz_utils.digest import Digest
from veracruz_utils.policy import (
    LINUX_SOFTWARE,
    RUNTIME_LAYERS,
    TLS_1_2_SUITES,
    TLS_1_3_SUITES,
    AcceptedPlatform,
    Policy,
    PolicyFormat,
    PolicyIdentity,
    Role,
    Strategy,
)
from veracruz_utils.policy.rendering import render_policy

PROGRAM = b"\0asm\1\0\0\0 a program"
MEASUREMENT = bytes(range(32))
SALT = b"s" * 32
DAY = timedelta(days=1)


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def new_identity(name: str = "alice") -> Identity:
    """A principal with a certificate that is valid for a day."""
    return Identity.create(name, not_before=now(), lifetime=DAY)


def key_der(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


class Attester:
    """Sonora's and Tabasco's keys, and what they sign."""

    def __init__(self) -> None:
        self.sonora_key = ec.generate_private_key(ec.SECP256R1())
        self.tabasco_key = ec.generate_private_key(ec.SECP256R1())

    def claims(self, challenge: bytes, certificate: bytes, policy_digest: Digest) -> Claims:
        """What an honest Sonora says of an isolate."""
        return Claims(
            profile=PsaProfile.RFC9783,
            nonce=challenge,
            client_id=1,
            instance_id=instance_id_of(self.sonora_key.public_key()),
            implementation_id=implementation_id_of(LINUX_SOFTWARE),
            lifecycle=0x3000,
            software_components=(
                SoftwareComponent(MEASUREMENT, b"u" * 32, "ARoT", "0.1.0", "sha-256"),
            ),
            platform=LINUX_SOFTWARE,
            certificate_digest=Digest.of(certificate).value,
            policy_digest=policy_digest.value,
            isolation=RUNTIME_LAYERS,
        )

    def token(self, claims: Claims) -> bytes:
        return mint_token(claims, self.sonora_key)

    def ear(self, token: bytes, challenge: bytes, at: datetime) -> Ear:
        """What an honest Tabasco concludes about a token."""
        return Ear(
            issued_at=int(at.timestamp()),
            expires_at=int(at.timestamp()) + 300,
            verifier=VerifierId("veracruz", "tabasco 0.1.0"),
            submods={"runtime": Appraisal(Tier.AFFIRMING)},
            nonce=challenge,
            raw_evidence=token,
        )

    def result(self, ear: Ear) -> bytes:
        return sign_ear(ear, self.tabasco_key)

    def examine(self, token: bytes, challenge: bytes) -> None:
        """Raise AttestationError unless the token is authentic and fresh."""
        known = instance_id_of(self.sonora_key.public_key())
        verify_token(
            token,
            key_for=lambda found: self.sonora_key.public_key() if found == known else None,
            nonce=challenge,
        )


class Isolate:
    """A TLS end and a tiny state behind it; `seen` lists every request it decoded."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.identity: KeyAndCertificate = make_certificate(
            name="isolate", not_before=now() - DAY, not_after=now() + DAY
        )
        self.compute: Callable[[dict], bytes | int | None] = lambda inputs: b"".join(
            inputs[key] for key in sorted(inputs)
        )
        self.seen: list[runtime.Request] = []
        self.program: bytes | None = None
        self.inputs: dict[tuple[int, int], bytes] = {}
        self.streams: dict[tuple[int, int], bytes] = {}
        self.partial: dict[tuple[int, runtime.Upload], bytearray] = {}
        self.ended: tuple[runtime.Response, bytes] | None = None
        self.state = ComputationState.INITIAL
        self.round = 1
        self.goodbyes: set[int] = set()
        self.receipts: list[bytes] = []
        self.consents = Consents(policy)
        self.answer_with: Callable[[runtime.Request], runtime.Response | None] = lambda _: None
        self.spoil_receipt: Callable[[Receipt], Receipt] = lambda receipt: receipt
        self.spoil_acceptance: Callable[[runtime.Accepted], runtime.Accepted] = lambda same: same
        self.last_word: runtime.Refused | None = None
        self.refuses_midway = False
        self.vanishes_midway = False

    def serve(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """One session of the bridge."""
        config = EndpointConfig(
            self.policy.ciphersuite, self.identity.private_key, self.identity.certificate
        )
        accepted = [member.certificate for member in self.policy.identities]
        endpoint = ServerContext(config, accepted=accepted).endpoint(now=now())
        talk: _Talk | None = None
        for chunk in chunks:
            try:
                for event in endpoint.receive_data(chunk):
                    match event:
                        case HandshakeCompleted():
                            member = self.policy.identity_of(event.peer_certificate)
                            talk = _Talk(self, member, endpoint.send)
                        case PlaintextReceived():
                            talk.receive(event.data)
                        case PeerClosed():
                            endpoint.close()
            except PeerError:
                yield endpoint.data_to_send()
                return
            if talk is not None and talk.over and self.last_word is not None:
                endpoint.close()
            data = endpoint.data_to_send()
            for start in range(0, len(data), sinaloa.MAX_CHUNK_BYTES):
                yield data[start : start + sinaloa.MAX_CHUNK_BYTES]
            if talk is not None and talk.over:
                return

    def settle(self) -> None:
        """Pass through the states that have nothing left to load."""
        complete = len(self.inputs) == len(self.policy.data_provision_order)
        if self.state is ComputationState.DATA_SOURCES_LOADING and complete:
            self.state = ComputationState.STREAM_SOURCES_LOADING
        complete = len(self.streams) == len(self.policy.streaming_order)
        if self.state is ComputationState.STREAM_SOURCES_LOADING and complete:
            self.state = ComputationState.READY_TO_EXECUTE

    def outcome(self) -> tuple[runtime.Response, bytes]:
        """Run the program; what comes of it, with a receipt."""
        output = self.compute({**self.inputs, **{(9, *key): v for key, v in self.streams.items()}})
        self.state = ComputationState.FINISHED_EXECUTING
        code, content = (output, b"") if isinstance(output, int) else (0, output or b"")
        commitments = [
            InputCommitment(client, package, kind, commit(SALT, hashlib.sha256(value).digest()))
            for kind, inputs in (("data", self.inputs), ("stream", self.streams))
            for (client, package), value in sorted(inputs.items())
        ]
        digest = hashlib.sha256(content).digest()
        receipt = Receipt(
            policy_digest=self.policy.digest.value,
            program_digest=self.policy.program_digest.value,
            number=len(self.receipts) + 1,
            previous_receipt=closed_digest(self.receipts[-1]) if self.receipts else None,
            round=self.round,
            attempt=1,
            inputs=tuple(commitments),
            end=RunEnd.ERROR_CODE if code else RunEnd.FINISHED,
            details=RunDetails(code, digest if isinstance(output, bytes) else None, 7),
            readers=tuple(sorted(self.policy.result_readers)),
            strategy=self.policy.strategy.value,
            engine="scripted 1.0",
            debug=self.policy.debug,
            isolation=tuple(sorted(RUNTIME_LAYERS)),
            measurement=MEASUREMENT,
            host_time=1_790_000_000,
        )
        signed = sign_receipt(
            self.spoil_receipt(receipt),
            self.identity.private_key,
            self.identity.certificate,
            salt=SALT,
        ).opened
        self.receipts.append(signed)
        if code:
            return runtime.ProgramFailed(code, signed), b""
        return runtime.ResultIs(output is not None, len(content), signed), content


class _Talk:
    """One session's plaintext."""

    def __init__(
        self, isolate: Isolate, member: PolicyIdentity, send: Callable[[bytes], None]
    ) -> None:
        self.over = False
        self._isolate = isolate
        self._member = member
        self._send = send
        self._decoder = FrameDecoder()
        self._upload: runtime.Upload | None = None
        self._content = bytearray()

    def receive(self, data: bytes) -> None:
        self._decoder.feed(data)
        while not self.over:
            if self._upload is not None:
                self._content += self._decoder.take(self._upload.size - len(self._content))
                if self._isolate.vanishes_midway:
                    self.over = True
                    return
                if self._isolate.refuses_midway:
                    self._refuse(RefusalReason.TOO_LARGE)
                    self.over = True
                if len(self._content) < self._upload.size:
                    return
                self._provided(self._upload, bytes(self._content))
                continue
            payload = self._decoder.next_frame()
            if payload is None:
                return
            self._request(runtime.REQUEST.decode(payload))
            if self._isolate.last_word is not None:
                self._answer(self._isolate.last_word)
                self.over = True

    def _request(self, request: runtime.Request) -> None:
        isolate = self._isolate
        isolate.seen.append(request)
        scripted = isolate.answer_with(request)
        if scripted is not None:
            self._answer(scripted)
            return
        match request:
            case runtime.Upload():
                self._begin(request)
            case runtime.GetResult():
                if isolate.state not in {
                    ComputationState.READY_TO_EXECUTE,
                    ComputationState.FINISHED_EXECUTING,
                }:
                    self._refuse(RefusalReason.WRONG_STATE)
                    return
                if isolate.ended is None:
                    isolate.ended = isolate.outcome()
                response, content = isolate.ended
                if isinstance(response, runtime.ResultIs):
                    response = replace(response, offset=request.offset)
                self._answer(response)
                self._send(content[request.offset :])
            case runtime.NextRound():
                isolate.round += 1
                isolate.streams.clear()
                isolate.ended = None
                isolate.state = ComputationState.STREAM_SOURCES_LOADING
                isolate.settle()
                self._answer(runtime.Done())
            case runtime.Shutdown():
                isolate.goodbyes.add(self._member.client_id)
                self._answer(runtime.Done())
            case runtime.Consent(signature):
                self._decide(partial(isolate.consents.give, self._member, signature))
            case _:
                self._query(request)

    def _decide(self, action: Callable[[], None]) -> None:
        """Done, or as the isolate's own code refuses it."""
        try:
            action()
        except DeniedError as refusal:
            self._answer(refusal.answer)
        else:
            self._answer(runtime.Done())

    def _query(self, request: runtime.Request) -> None:
        isolate = self._isolate
        match request:
            case runtime.GetState():
                self._answer(
                    runtime.StateIs(
                        isolate.state,
                        isolate.round,
                        running=False,
                        consent_awaited=isolate.consents.awaited,
                        receipts=len(isolate.receipts),
                    )
                )
            case runtime.Revoke():
                self._decide(partial(isolate.consents.revoke, self._member))
            case runtime.GetReceipt(number) if 0 < number <= len(isolate.receipts):
                self._answer(runtime.ReceiptIs(isolate.receipts[number - 1]))
            case runtime.GetReceipt():
                self._refuse(RefusalReason.NOT_EXPECTED)
            case runtime.GetPolicyDigest():
                self._answer(runtime.DigestIs(isolate.policy.digest.value))
            case runtime.GetFailureReport() if isolate.state is ComputationState.ERROR:
                frames = (runtime.TrapFrame(7, 0x1F4, "divide"), runtime.TrapFrame(2, 0, ""))
                self._answer(runtime.FailureReport("trapped: unreachable", frames))
            case runtime.GetFailureReport():
                self._refuse(RefusalReason.WRONG_STATE)
            case runtime.GetProgramDigest() if isolate.program is None:
                self._refuse(RefusalReason.WRONG_STATE)
            case runtime.GetProgramDigest():
                self._answer(runtime.DigestIs(hashlib.sha256(isolate.program).digest()))

    def _begin(self, upload: runtime.Upload) -> None:
        needed = {
            ContentKind.PROGRAM: ComputationState.INITIAL,
            ContentKind.DATA: ComputationState.DATA_SOURCES_LOADING,
            ContentKind.STREAM: ComputationState.STREAM_SOURCES_LOADING,
        }[upload.kind]
        isolate = self._isolate
        if upload.kind is not ContentKind.PROGRAM and isolate.consents.awaited:
            self._decide(isolate.consents.require)
            return
        if isolate.state is not needed:
            self._refuse(RefusalReason.WRONG_STATE, isolate.state.name, needed.name)
            return
        place = isolate.streams if upload.kind is ContentKind.STREAM else isolate.inputs
        if (self._member.client_id, upload.package_id) in place:
            self._refuse(RefusalReason.DUPLICATE_PACKAGE)
            return
        key = (self._member.client_id, upload)
        self._upload, self._content = upload, isolate.partial.setdefault(key, bytearray())
        self._answer(runtime.Proceed(len(self._content)))

    def _provided(self, upload: runtime.Upload, content: bytes) -> None:
        isolate = self._isolate
        self._upload = None
        if upload.kind is ContentKind.PROGRAM:
            isolate.program = content
            isolate.state = ComputationState.DATA_SOURCES_LOADING
            isolate.settle()
            self._answer(runtime.Done())
            return
        place = isolate.inputs if upload.kind is ContentKind.DATA else isolate.streams
        place[self._member.client_id, upload.package_id] = content
        isolate.settle()
        commitment = commit(SALT, hashlib.sha256(content).digest())
        self._answer(isolate.spoil_acceptance(runtime.Accepted(SALT, commitment)))

    def _refuse(self, reason: RefusalReason, found: str = "", expected: str = "") -> None:
        self._answer(runtime.Refused(ResponseStatus.NOT_READY, reason, found, expected))

    def _answer(self, response: runtime.Response) -> None:
        self._send(frame(runtime.RESPONSE.encode(response)))


class Rig:
    """Bridge, isolate and Tabasco on two free ports; principals alice, bob and carol."""

    def __init__(self, attester: Attester) -> None:
        self.attester = attester
        self.alice, self.bob, self.carol = (new_identity(n) for n in ("alice", "bob", "carol"))
        self.sinaloa = Address("127.0.0.1", 1)
        self.tabasco = Address("127.0.0.1", 1)
        self.spoil_claims: Callable[[Claims], Claims] = lambda claims: claims
        self.spoil_ear: Callable[[Ear], Ear] = lambda ear: ear
        self.attest_raw: Callable[[bytes], bytes] | None = None
        self.isolate: Isolate

    def members(self) -> list[PolicyIdentity]:
        """Alice gives the program, bob data and streams, carol data and reads."""
        return [
            PolicyIdentity(0, self.alice.certificate, frozenset({Role.PI_PROVIDER})),
            PolicyIdentity(1, self.bob.certificate, frozenset({Role.DATA_PROVIDER})),
            PolicyIdentity(
                2, self.carol.certificate, frozenset({Role.DATA_PROVIDER, Role.RESULT_READER})
            ),
        ]

    def policy(self, *, at: datetime | None = None, **changes: object) -> Policy:
        """A policy for this rig, made `at` that time; `changes` go to `render_policy`."""
        at = at or now()
        fields: dict = {
            "identities": self.members(),
            "sinaloa": self.sinaloa,
            "tabasco": self.tabasco,
            "tabasco_key": key_der(self.attester.tabasco_key),
            "expires_at": now() + DAY,
            "ciphersuite": TLS_1_3_SUITES[0],
            "platforms": [AcceptedPlatform(LINUX_SOFTWARE, frozenset({MEASUREMENT}))],
            "data_provision_order": [1, 2],
            "program_digest": Digest.of(PROGRAM),
            "strategy": Strategy.JIT,
        } | changes
        return Policy.parse(render_policy(at=at, **fields), at=at)

    def policy_2021(self) -> Policy:
        """The same in the format of 2021."""
        return self.policy(
            tabasco_key=None,
            ciphersuite=TLS_1_2_SUITES[0],
            policy_format=PolicyFormat.VERACRUZ_2021,
        )

    def launch(self, policy: Policy | None = None) -> Policy:
        """Put an isolate for `policy` behind the bridge."""
        policy = policy or self.policy()
        self.isolate = Isolate(policy)
        return policy

    def answer_attest(self, request: bytes) -> bytes:
        """`Attest` of the bridge."""
        challenge = colima.decode(sinaloa.AttestRequest, request).challenge
        if self.attest_raw is not None:
            return self.attest_raw(challenge)
        honest = self.attester.claims(
            challenge, self.isolate.identity.certificate, self.isolate.policy.digest
        )
        token = self.attester.token(self.spoil_claims(honest))
        return colima.encode(sinaloa.AttestResponse(token))

    def answer_verify(self, request: bytes) -> bytes:
        """`VerifyToken` of Tabasco."""
        asked = colima.decode(tabasco.VerifyTokenRequest, request)
        self.attester.examine(asked.token, asked.challenge)
        ear = self.spoil_ear(self.attester.ear(asked.token, asked.challenge, now()))
        return colima.encode(tabasco.VerifyTokenResponse(self.attester.result(ear)))


@contextmanager
def running_rig() -> Iterator[Rig]:
    """A rig with its two servers up and an isolate for its usual policy."""
    rig = Rig(Attester())
    bridge = GrpcService(
        "127.0.0.1:0",
        unary={f"/{sinaloa.SERVICE}/Attest": rig.answer_attest},
        streams={
            f"/{sinaloa.SERVICE}/Session": blocking(
                lambda chunks: rig.isolate.serve(chunks)  # noqa: PLW0108 - the isolate of the time
            ),
        },
        limits=ServiceLimits(grace_s=0),
    )
    verifier = GrpcService(
        "127.0.0.1:0",
        unary={f"/{tabasco.SERVICE}/VerifyToken": rig.answer_verify},
        limits=ServiceLimits(grace_s=0),
    )
    with bridge, verifier:
        rig.sinaloa = Address.parse(bridge.address)
        rig.tabasco = Address.parse(verifier.address)
        rig.launch()
        yield rig
