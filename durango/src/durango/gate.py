"""The gate: not a byte is sent to an isolate that has not passed it.

Every step compares one fact of the attestation with the principal's own policy file, or with what
the principal itself asked, and names both sides when they differ. The delegate's machine, the
bridge and the network may have made up any byte of it. Tabasco is believed in what it signed, no
further.

    (1) the result is signed by the pinned key of Tabasco    (7) the policy names the platform
    (2) it answers my challenge                              (8) the policy names the measurement
    (3) it is in force now                                   (9) hardware measured of the machine
    (4) it is about the token I was given                        what the policy pins, if it pins
    (5) Tabasco affirms what it found                       (10) the isolate holds my exact policy
    (6) the token answers my challenge                      (11) the lifecycle is `secured`
                                                            (12) every layer of isolation that the
                                                                 policy asks for is in force
                                                            (13) a certificate is vouched for: the
                                                                 only one TLS will accept

Time and bytes come in, a verified value or `GateError` comes out; there is no input or output here.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from durango._say import joined, say
from durango._words import layer_names, printable, timestamp
from durango.chain import measured_machine
from durango.errors import GateError
from durango.evidence import Attestation, Evidence, GateCheck, Passed
from durango.platforms import protection
from psa_attestation.errors import AttestationError, ErrorCode, Stage
from psa_attestation.results.appraisal import Tier
from psa_attestation.results.ear import verify_ear
from psa_attestation.results.ear_claims import Ear
from psa_attestation.tokens.lifecycle import Lifecycle
from psa_attestation.tokens.runtime import RuntimeClaims
from psa_attestation.tokens.token import read_unverified_claims
from veracruz_utils.digest import Digest
from veracruz_utils.policy import LINUX_SOFTWARE, Policy
from veracruz_utils.public_keys import KeyFormatError, p256_key_of_der

CLOCK_LEEWAY_S: Final = 30
"""By how many seconds this machine's clock and Tabasco's may differ."""

_ASK_AGAIN: Final = say("attest again; if it fails again, somebody in between changes messages")
_REMEASURE: Final = say(
    "have the delegate's Sonora enrol again, by evidence that has this register, with a Tabasco of "
    "this version: an older one does not keep what hardware measured"
)
_OTHER_MACHINE: Final = say(
    "have the delegate start the agreed machine image, or agree on a policy that names what this "
    "one measures: `sonora machine measure` says it of an image"
)
_SIGNATURE_STAGES: Final = frozenset({Stage.ENCODING, Stage.ENVELOPE, Stage.KEY, Stage.SIGNATURE})


def judge(evidence: Evidence, policy: Policy, *, tabasco_key: bytes, at: datetime) -> Attestation:
    """The isolate that `evidence` is about, if it is one the principal's own policy accepts.

    Args:
        evidence: a challenge and the two answers to it.
        policy: the principal's own copy.
        tabasco_key: the key results must be signed with (DER SubjectPublicKeyInfo, P-256).
        at: the time it is, with a time zone.

    Raises:
        GateError: a check failed; no later one was made.
    """
    gate = _Gate(evidence, policy)
    try:
        # Tabasco's result first: until step 4 ties the token to it, anybody may have made that.
        ear = gate.examine_result(tabasco_key, at)
        told = _machine(ear)
        runtime = gate.examine_token(told)
    except GateError as error:
        error.passed = tuple(gate.passed)
        raise
    return Attestation(
        evidence=evidence,
        platform=runtime.platform,
        measurement=runtime.measurement,
        version=runtime.version,
        certificate_digest=Digest(runtime.certificate_digest),
        policy_digest=Digest(runtime.policy_digest),
        isolation=runtime.isolation,
        instance_id=runtime.instance_id,
        verifier=_verifier(ear),
        issued_at=_moment(ear.issued_at),
        expires_at=_moment(ear.expires_at),
        checks=tuple(gate.passed),
        machine=measured_machine(runtime.platform, told, _pinned(policy, runtime.platform)),
    )


class _Gate:
    """One passage; `passed` grows with it."""

    def __init__(self, evidence: Evidence, policy: Policy) -> None:
        self.passed: list[Passed] = []
        self._evidence = evidence
        self._policy = policy

    def examine_result(self, tabasco_key: bytes, at: datetime) -> Ear:
        """Steps 1 to 5: what Tabasco signed."""
        challenge = self._evidence.challenge.hex()
        pin = Digest.of(tabasco_key)
        try:
            # (1) the signature before (3) and (2): what is not signed says nothing.
            ear = verify_ear(
                self._evidence.result,
                key=_public_key(tabasco_key),
                nonce=self._evidence.challenge,
                at=int(at.timestamp()),
                leeway_s=CLOCK_LEEWAY_S,
            )
        except AttestationError as error:
            raise _result_refused(error, pin=pin, challenge=challenge, at=at) from error
        self._pass(
            GateCheck.RESULT_SIGNATURE,
            say("signed by {verifier}", verifier=_verifier(ear)),
            say("Tabasco's key {pin}", pin=str(pin)),
        )
        self._pass(GateCheck.RESULT_CHALLENGE, challenge, say("my challenge"))
        self._pass(
            GateCheck.RESULT_TIME,
            say(
                "in force {begin} to {end}",
                begin=timestamp(_moment(ear.issued_at)),
                end=timestamp(_moment(ear.expires_at)),
            ),
            say("now, {time}", time=timestamp(at)),
        )
        self._examine_subject(ear)
        self._examine_status(ear)
        return ear

    def examine_token(self, machine: Mapping[str, bytes]) -> RuntimeClaims:
        """Steps 6 to 13: what the isolate's root attester says, vouched for by Tabasco.

        Args:
            machine: what hardware measured of the root attester's machine, says Tabasco.
        """
        try:
            claims = read_unverified_claims(self._evidence.token)
            runtime = RuntimeClaims.of(claims)
        except AttestationError as error:
            raise GateError(
                GateCheck.TOKEN_FORM,
                found=say("a malformed token ({error})", error=str(error)),
                expected=say("a PSA token about one runtime"),
                remedy=say("check that the delegate runs the same version of Veracruz"),
            ) from error
        self._require(  # (6) a token of an earlier isolate, with its certificate, must not return
            GateCheck.TOKEN_CHALLENGE,
            found=runtime.challenge.hex(),
            expected=self._evidence.challenge.hex(),
            against=say("my challenge"),
            remedy=_ASK_AGAIN,
        )
        self._examine_platform(runtime)
        self._examine_machine(runtime.platform, machine)
        self._require(  # (10) a policy that differs by one byte is another policy
            GateCheck.POLICY,
            found=runtime.policy_digest.hex(),
            expected=str(self._policy.digest),
            against=say("SHA-256 of my policy file"),
            remedy=say(
                "use the very file that the delegate's bridge was started with, byte for byte, "
                "or have the bridge started with this one"
            ),
        )
        self._require(  # (11) whoever debugs an isolate reads what is in it
            GateCheck.LIFECYCLE,
            found=claims.lifecycle_state.name.lower(),
            expected=Lifecycle.SECURED.name.lower(),
            against=say("what a production isolate must say"),
            remedy=say("have the delegate run an isolate that is not open to debugging"),
        )
        self._examine_isolation(runtime)
        self._pass(  # (13) RuntimeClaims has made sure that there is one, of 32 bytes
            GateCheck.CERTIFICATE,
            runtime.certificate_digest.hex(),
            say("the only certificate TLS accepts"),
        )
        return runtime

    def _examine_subject(self, ear: Ear) -> None:
        """Step 4: an authentic result on some other isolate's token is worth nothing."""
        if ear.raw_evidence is None:
            found = say("a result that does not say which token it is about")
        elif ear.raw_evidence != self._evidence.token:
            found = say("a result on token {token}", token=str(Digest.of(ear.raw_evidence)))
        else:
            token = str(Digest.of(self._evidence.token))
            about = say("about token {token}", token=token)
            self._pass(GateCheck.RESULT_SUBJECT, about, say("the token I was given"))
            return
        raise GateError(
            GateCheck.RESULT_SUBJECT,
            found=found,
            expected=say(
                "one on token {token}, which I was given",
                token=str(Digest.of(self._evidence.token)),
            ),
            remedy=_ASK_AGAIN,
        )

    def _examine_status(self, ear: Ear) -> None:
        """Step 5: every part of what was appraised has to be affirmed."""
        # Every part: one that is affirmed must not stand for another that is not.
        for name, appraisal in ear.submods.items():
            if appraisal.status is not Tier.AFFIRMING:
                raise GateError(
                    GateCheck.RESULT_STATUS,
                    found=f"{appraisal.status.name.lower()} for {name[:64]!r}",
                    expected="affirming",
                    remedy=say(
                        "ask the operator of Tabasco why it does not vouch for this isolate"
                    ),
                )
        names = ", ".join(printable(name, most=64) for name in ear.submods)
        affirmed = say("affirming: {names}", names=names)
        self._pass(GateCheck.RESULT_STATUS, affirmed, say("the only status I accept"))

    def _examine_platform(self, runtime: RuntimeClaims) -> None:
        """Steps 7 and 8: the kind of isolate, and the runtime in it, are ones the policy names."""
        # By name: the software root is accepted under its own and never in place of another.
        accepted = self._policy.accepted(runtime.platform)
        if accepted is None:
            names = " or ".join(platform.name for platform in self._policy.platforms)
            expected = (
                say("{names}, which my policy names", names=names)
                if names
                else say("none: my policy names none")
            )
            raise GateError(
                GateCheck.PLATFORM,
                found=_platform(runtime.platform),
                expected=expected,
                remedy=say(
                    "run the isolate on an accepted platform, or agree on a policy that names this "
                    "one"
                ),
            )
        named = say("the platforms my policy names")
        self._pass(GateCheck.PLATFORM, _platform(runtime.platform), named)
        # Of this platform: a measurement accepted on stronger hardware is not accepted here.
        if runtime.measurement not in accepted.measurements:
            values = " or ".join(sorted(value.hex() for value in accepted.measurements)[:8])
            raise GateError(
                GateCheck.MEASUREMENT,
                found=runtime.measurement.hex(),
                expected=say(
                    "{values}, which my policy names for {platform}",
                    values=values,
                    platform=accepted.name,
                ),
                remedy=say(
                    "have the delegate run the agreed runtime, or agree on a policy that names "
                    "this one"
                ),
            )
        self._pass(
            GateCheck.MEASUREMENT,
            say(
                "{measurement} (runtime {version})",
                measurement=runtime.measurement.hex(),
                version=repr(runtime.version[:40]),
            ),
            say("the measurements my policy names for {platform}", platform=accepted.name),
        )

    def _examine_machine(self, platform: str, machine: Mapping[str, bytes]) -> None:
        """Step 9: what is not told of a register that the policy pins is not what it pins."""
        accepted = self._policy.accepted(platform)
        for pinned in () if accepted is None else accepted.machine:
            values = sorted(value.hex() for value in pinned.values)
            found = machine.get(pinned.name)
            if found in pinned.values:
                self._pass(
                    GateCheck.MACHINE,
                    f"{pinned.name} {found.hex()}",
                    say(
                        "the values my policy names for {register} on {platform}",
                        register=pinned.name,
                        platform=platform,
                    ),
                )
                continue
            told = ", ".join(printable(name, most=32) for name in machine)
            raise GateError(
                GateCheck.MACHINE,
                found=f"a result that does not tell {pinned.name}: it tells "
                f"{told or 'nothing of the machine'}"
                if found is None
                else f"{pinned.name} {found.hex()}",
                expected=f"{pinned.name} {' or '.join(values[:8])}, which my policy names for "
                f"{platform}",
                remedy=_REMEASURE if found is None else _OTHER_MACHINE,
            )

    def _examine_isolation(self, runtime: RuntimeClaims) -> None:
        """Step 12: what the root attester does not say is in force counts as not in force."""
        missing = self._policy.isolation - runtime.isolation
        if missing:
            raise GateError(
                GateCheck.ISOLATION,
                found=layer_names(runtime.isolation),
                expected=say(
                    "at least {asked}, which my policy asks for; {missing} is not in force",
                    asked=layer_names(self._policy.isolation),
                    missing=layer_names(missing),
                ),
                remedy=say(
                    "have the delegate run `sonora doctor`, which says what that machine lacks for "
                    "it and what to do, or agree on a policy that asks for less"
                ),
            )
        self._pass(
            GateCheck.ISOLATION,
            layer_names(runtime.isolation),
            say(
                "the layers my policy asks for: {layers}",
                layers=layer_names(self._policy.isolation),
            ),
        )

    def _require(
        self, check: GateCheck, *, found: str, expected: str, against: str, remedy: str
    ) -> None:
        if found != expected:
            both = say("{expected} ({against})", expected=expected, against=against)
            raise GateError(check, found=found, expected=both, remedy=remedy)
        self._pass(check, found, against)

    def _pass(self, check: GateCheck, found: str, against: str) -> None:
        self.passed.append(Passed(check, found, against))


def _result_refused(
    error: AttestationError, *, pin: Digest, challenge: str, at: datetime
) -> GateError:
    """Steps 1 to 3 are one call of `verify_ear`; which of them failed, from its closed codes."""
    if error.stage in _SIGNATURE_STAGES:
        return GateError(
            GateCheck.RESULT_SIGNATURE,
            found=say("a result that this key did not sign ({error})", error=str(error)),
            expected=say("one signed by Tabasco's key {pin}", pin=str(pin)),
            remedy=say("check the address of Tabasco, and that the pinned key is its present one"),
        )
    if error.code is ErrorCode.NONCE_MISMATCH:
        return GateError(
            GateCheck.RESULT_CHALLENGE,
            found=say("a result for another request ({error})", error=str(error)),
            expected=say("one for my challenge {challenge}", challenge=challenge),
            remedy=_ASK_AGAIN,
        )
    if error.code in {ErrorCode.EXPIRED, ErrorCode.NOT_YET_VALID}:
        return GateError(
            GateCheck.RESULT_TIME,
            found=say("an expired or not yet valid result ({error})", error=str(error)),
            expected=say("one in force at {time}", time=timestamp(at)),
            remedy=say(
                "attest again; if it stays so, compare the clocks of this machine and Tabasco's"
            ),
        )
    return GateError(
        GateCheck.RESULT_FORM,
        found=say("a malformed result ({error})", error=str(error)),
        expected=say("an attestation result (EAR)"),
        remedy=say("check the address of Tabasco, and that it runs the same version of Veracruz"),
    )


def _public_key(der: bytes) -> ec.EllipticCurvePublicKey:
    try:
        return p256_key_of_der(der)
    except KeyFormatError as error:
        raise GateError(
            GateCheck.RESULT_SIGNATURE,
            found=f"a pinned key that {error}",
            expected=say("Tabasco's result key"),
            remedy=say("take it from the policy, or give its PEM file with --tabasco-key"),
        ) from error


def _machine(ear: Ear) -> Mapping[str, bytes]:
    """What hardware measured; told of two parts, it could be of two machines and counts for none.

    Tabasco tells it in the one appraisal of a result about a token.
    """
    told = [appraisal.machine for appraisal in ear.submods.values() if appraisal.machine]
    return told[0] if len(told) == 1 else {}


def _pinned(policy: Policy, platform: str) -> frozenset[str]:
    accepted = policy.accepted(platform)
    return frozenset(each.name for each in accepted.machine) if accepted else frozenset()


def _verifier(ear: Ear) -> str:
    return printable(f"{ear.verifier.developer} {ear.verifier.build}", most=80)


def _platform(name: str) -> str:
    """A platform as outputs name it; the software one never without what it is."""
    return joined([name, protection(name)], ", ") if name == LINUX_SOFTWARE else printable(name)


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
