"""Machines of each kind that root attesters enrol on, complete but for the vendor.

The roots are of our own making. A `Machine` makes evidence for an enrolment or a session, a policy
that accepts it, and what Tabasco needs to verify it.
"""

import base64
import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime

from colima.tabasco import CompleteEnrolmentRequest
from psa_attestation.evidence.native import NativeEvidence, report_data_of
from support import cca_tokens as cca
from support import dcap_evidence as dcap
from support import nitro_documents as nitro
from support import tpm_quotes
from support.enrolment import RootAttester, SoftwareRoot, es256, spki
from tabasco.collateral import Store, StoredCollateral, Trust
from tabasco.registry.database import Database
from tabasco.registry.platform_keys import PlatformKeys
from tabasco.service.hardware_root import MEASURED
from tabasco.service.sessions import Submission, session_binding
from tabasco.verify.evidence import verify_evidence
from tabasco.verify.kinds import EvidenceKind
from tabasco.verify.means import Means
from tabasco.verify.proven import Proven
from veracruz_utils.public_keys import der_of

KINDS = (
    EvidenceKind.SGX,
    EvidenceKind.TDX,
    EvidenceKind.NITRO,
    EvidenceKind.ARM_CCA,
    EvidenceKind.TPM,
)
_TIMES = {EvidenceKind.NITRO: nitro.MADE}
_ROOTS = {EvidenceKind.NITRO: frozenset({hashlib.sha256(nitro.ROOT).digest()})}
_CHAIN = dcap.Recipe()._chain()  # of the one platform; a recipe would issue another each time
COMPONENTS = "".join(
    f'[[arm-cca.components]]\n{kind}measurement = ["{part[2].hex()}"]\n'
    f'signer = ["{part[5].hex()}"]\n'
    for part in cca.PLATFORM[2399]
    for kind in [f'type = "{part[1]}"\n' if 1 in part else ""]
)
"""The platform's firmware, as a policy has to name it."""
_REGISTERS = {"sha256": {index: bytes((index,)) * 32 for index in range(24)}}


@dataclass(frozen=True)
class Machine:
    """A machine of one kind."""

    kind: EvidenceKind

    @property
    def at(self) -> datetime:
        """When its evidence holds."""
        return _TIMES.get(self.kind, dcap.NOON)

    @property
    def roots(self) -> frozenset[bytes] | None:
        """The roots to trust instead of the vendor's."""
        intel = self.kind in {EvidenceKind.SGX, EvidenceKind.TDX}
        return frozenset(dcap.ROOTS) if intel else _ROOTS.get(self.kind)

    def collateral(self, store: Store) -> StoredCollateral:
        """Where its collateral is found, in a store that trusts our own root."""
        if self.kind in {EvidenceKind.SGX, EvidenceKind.TDX}:
            recipe = dcap.Recipe() if self.kind is EvidenceKind.SGX else dcap.Recipe(dcap.TDX, 4)
            store.add([("made", recipe.collateral_json())], at=dcap.NOON)
        return StoredCollateral(store)

    def register(self, database: Database) -> None:
        """What an operator does for this kind before any evidence is verified."""
        if self.kind is EvidenceKind.ARM_CCA:
            key = cca.PLATFORM_KEY.public_key()
            PlatformKeys(database).add(self.kind, cca.INSTANCE, key, at=self.at)

    def evidence(self, binding: bytes) -> bytes:
        """Evidence over this, encoded as it is sent."""
        data = binding if self.kind is EvidenceKind.TPM else report_data_of(binding)
        return NativeEvidence(self.kind.value, self._raw(data)).encode()

    def _raw(self, data: bytes) -> bytes:
        match self.kind:
            case EvidenceKind.SGX:
                return dcap.Recipe(body={320: data}, chain=_CHAIN).quote()
            case EvidenceKind.TDX:
                return dcap.Recipe(dcap.TDX, 4, body={520: data}, chain=_CHAIN).quote()
            case EvidenceKind.NITRO:
                return nitro.Recipe(changes={"user_data": data}).document()
            case EvidenceKind.ARM_CCA:
                return cca.Recipe(realm={10: data}).token()
            case _:
                return _quote(data)

    def proven(self, store: Store) -> Proven:
        """What its evidence proves."""
        native = NativeEvidence.decode(self.evidence(bytes(32)))
        means = Means.of(
            native,
            source=self.collateral(store),
            registered=lambda _: cca.PLATFORM_KEY.public_key(),
            roots=self.roots,
        )
        return verify_evidence(native.raw, self.kind, means=means, at=self.at)

    def policy(self, version: int = 1, **more: bytes) -> bytes:
        """A policy that accepts it; with `more` measurements to ask for."""
        kind = self.kind.value
        head = f"version = {version}\n[{kind}]\n"
        facts = ""
        if self.kind is EvidenceKind.TPM:
            digest = hashlib.sha256(der_of(tpm_quotes.EC_KEY.public_key())).hexdigest()
            head += 'concerns = ["tpm.uncertified-key"]\n'
            facts = f'[{kind}.facts]\nattestation-key = {{ equals = "{digest}" }}\n'
        wanted = {MEASURED[self.kind]: self.main_measurement} | more
        listed = "".join(f'{name} = ["{value.hex()}"]\n' for name, value in wanted.items())
        text = f"{head}{facts}[{kind}.measurements]\n{listed}"
        if self.kind is EvidenceKind.ARM_CCA:
            text += COMPONENTS
        return text.encode()

    @property
    def main_measurement(self) -> bytes:
        """What stands for the attester."""
        match self.kind:
            case EvidenceKind.SGX:
                return dcap.Recipe().verify().measurements["mrenclave"]
            case EvidenceKind.TDX:
                return dcap.Recipe(dcap.TDX, 4).verify().measurements["mrtd"]
            case EvidenceKind.NITRO:
                return nitro.MEMBERS["pcrs"][0]
            case EvidenceKind.ARM_CCA:
                return cca.REALM[44238]
            case _:
                return hashlib.sha256(b"".join(_REGISTERS["sha256"].values())).digest()

    def submission(self, nonce: bytes) -> Submission:
        """Its evidence in a session."""
        binding = session_binding(self.kind.value, nonce, b"")
        return Submission(nonce, self.kind.value, self.evidence(binding))


@dataclass
class MachineAttester(RootAttester):
    """A root attester on a machine, with a fresh key."""

    machine: Machine = field(default_factory=lambda: Machine(EvidenceKind.SGX))

    @classmethod
    def on(cls, machine: Machine) -> "MachineAttester":
        """One on this machine."""
        return cls(SoftwareRoot(), machine=machine)

    def enrolment(self, challenge: bytes) -> CompleteEnrolmentRequest:
        """The request that answers `challenge`."""
        kind = self.machine.kind.value
        binding = self.binding(challenge, platform=kind)
        evidence, proof = self.machine.evidence(binding), es256(self.key, binding)
        return CompleteEnrolmentRequest(challenge, kind, evidence, spki(self.key), proof)


def own_store(path: object) -> Store:
    """A store that trusts the root of our own."""
    return Store(path, trust=Trust(intel=dcap.ROOTS))


def _quote(extra_data: bytes) -> bytes:
    message = tpm_quotes.Recipe(extra_data=extra_data, registers=_REGISTERS).message()

    def text(data: bytes) -> str:
        return base64.b64encode(data).decode()

    document = {
        "ak_public": text(der_of(tpm_quotes.EC_KEY.public_key())),
        "tpm_quote": {
            "message": text(message),
            "signature": text(tpm_quotes.ec_signature(message)),
            "pcrs": [value.hex() for value in _REGISTERS["sha256"].values()],
        },
    }
    return json.dumps(document).encode()
