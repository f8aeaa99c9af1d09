"""What Intel publishes for the verification of quotes, and whether it really is by Intel.

The signed texts are kept exactly as they came: signatures are over bytes, and no JSON that is
read and written again is the same (Intel, "PCS API v4", TCB info and QE identity).
"""

import functools
from dataclasses import fields
from datetime import datetime
from typing import Final, Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from tabasco.verify.errors import EvidenceError, Fault, VerificationStage
from tabasco.verify.intel import json_members
from tabasco.verify.intel.statements import QeIdentity, TcbInfo, parse_qe_identity, parse_tcb_info
from tabasco.verify.x509 import certificates, crl
from veracruz_utils.frozen import frozen

INTEL_ROOTS: Final = frozenset(
    {bytes.fromhex("44a0196b2b99f889b8e149e95b807a350e7424964399e885a7cbb8ccfab674d3")}
)
"""SHA-256 of the certificate "Intel SGX Root CA", as Intel publishes it
(certificates.trustedservices.intel.com/IntelSGXRootCA.der)."""

MAX_COLLATERAL_BYTES: Final = 16 * 1024 * 1024
_REMEMBERED: Final = 16
_PLATFORM_CHAIN: Final = "pck_certificate_chain"
"""A member that some write, and that is not looked at: a quote brings the chain of its platform."""
SIGNER_NAME: Final = "Intel SGX TCB Signing"

_BINARY: Final = frozenset(
    {"root_ca_crl", "pck_crl", "tcb_info_signature", "qe_identity_signature"}
)


@frozen
class Collateral:
    """Collateral as it came, unverified.

    Attributes:
        pck_crl_issuer_chain: PEM, from the authority to the root; it has to hold, but the list is
            verified with the authority that the quote's own chain ends in.
        root_ca_crl: DER, by the root.
        pck_crl: DER, by the authority that certified the platform.
        tcb_info_issuer_chain: PEM, from the signer to the root; so `qe_identity_issuer_chain`.
        tcb_info: the exact text that was signed; so `qe_identity`.
        tcb_info_signature: r and s, 32 bytes each; so `qe_identity_signature`.
    """

    pck_crl_issuer_chain: bytes
    root_ca_crl: bytes
    pck_crl: bytes
    tcb_info_issuer_chain: bytes
    tcb_info: bytes
    tcb_info_signature: bytes
    qe_identity_issuer_chain: bytes
    qe_identity: bytes
    qe_identity_signature: bytes

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """Collateral from one JSON object: texts as they are, binary fields in hexadecimal.

        Raises:
            EvidenceError: stage `collateral`; unknown members are refused, too.
        """
        if len(data) > MAX_COLLATERAL_BYTES:
            raise json_members.malformed(
                f"collateral has {len(data)} bytes, at most {MAX_COLLATERAL_BYTES} are read"
            )
        try:
            members = json_members.parse(
                data.decode("utf-8"), "collateral", max_bytes=MAX_COLLATERAL_BYTES
            )
        except UnicodeDecodeError as error:
            raise json_members.malformed("collateral is not UTF-8") from error
        names = [field.name for field in fields(cls)]
        others = sorted(members.values.keys() - {*names, _PLATFORM_CHAIN})
        if others:
            raise json_members.malformed(f"collateral has an unknown member {others[0][:40]!r}")
        return cls(**{name: _field(members, name) for name in names})


@frozen
class Statements:
    """Collateral that is by Intel and valid at the time asked for.

    Attributes:
        root_crl: checked, for the authorities below the root.
        valid_until: when the first part of it ends.
        signers: certificates of who signed it.
    """

    tcb_info: TcbInfo
    qe_identity: QeIdentity
    root_crl: x509.CertificateRevocationList
    valid_until: datetime
    signers: tuple[x509.Certificate, ...]


def verify_collateral(
    collateral: Collateral, *, root: x509.Certificate, at: datetime
) -> Statements:
    """What Intel states, if every signature holds and everything is valid at `at`.

    Args:
        collateral: as it came.
        root: a root that is trusted, as the quote's own chain has been led back to.
        at: with a time zone.

    Raises:
        EvidenceError: stage `collateral`.
    """
    root_crl = crl.load(collateral.root_ca_crl)
    issuers = certificates.load_pem(
        collateral.pck_crl_issuer_chain, stage=VerificationStage.COLLATERAL
    )
    roots = {certificates.digest(root)}
    # The root's list comes first: signers are looked up in it below.
    ends = [
        crl.check(root_crl, root, at=at),
        certificates.check_issuers(issuers, roots=roots, at=at, stage=VerificationStage.COLLATERAL),
    ]
    signers = []
    for what, chain, text, signature in (
        (
            "TCB info",
            collateral.tcb_info_issuer_chain,
            collateral.tcb_info,
            collateral.tcb_info_signature,
        ),
        (
            "QE identity",
            collateral.qe_identity_issuer_chain,
            collateral.qe_identity,
            collateral.qe_identity_signature,
        ),
    ):
        signer, end = _signer(chain, root, root_crl, at=at)
        ends.append(end)
        signers.append(signer)
        _check_statement(signer, signature, text, what)
    # Parsed only now that it is Intel's: a parser of JSON is much to show to just anybody.
    tcb_info = _tcb_info(collateral.tcb_info)
    qe_identity = _qe_identity(collateral.qe_identity)
    for what, statement in (("TCB info", tcb_info), ("QE identity", qe_identity)):
        _check_window(statement, what, at=at)
        ends.append(statement.next_update)
    return Statements(tcb_info, qe_identity, root_crl, min(ends), tuple(signers))


def verified(key: ec.EllipticCurvePublicKey, signature: bytes, data: bytes) -> bool:
    """Whether `signature`, r and s of 32 bytes each, is by `key` over `data`, with SHA-256."""
    # Python would read shorter halves as other numbers: one signature, one form.
    if len(signature) != 64:
        return False
    r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
    try:
        key.verify(encode_dss_signature(r, s), data, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def _signer(
    text: bytes,
    root: x509.Certificate,
    root_crl: x509.CertificateRevocationList,
    *,
    at: datetime,
) -> tuple[x509.Certificate, datetime]:
    chain = certificates.load_pem(text, stage=VerificationStage.COLLATERAL)
    end = certificates.check_chain(
        chain, roots={certificates.digest(root)}, at=at, stage=VerificationStage.COLLATERAL
    )
    # The platform's own certificates end in the same root: the name keeps them from signing this.
    if len(chain) != 2 or certificates.common_name(chain[0]) != SIGNER_NAME:
        raise EvidenceError(
            Fault.CHAIN,
            VerificationStage.COLLATERAL,
            f"collateral is signed by {certificates.name(chain[0])}, not by {SIGNER_NAME!r}",
        )
    crl.check_not_revoked(root_crl, chain[0])
    return chain[0], end


# Statements come again with every quote: what is true of their bytes at any time is remembered.


@functools.lru_cache(maxsize=_REMEMBERED)
def _check_statement(signer: x509.Certificate, signature: bytes, text: bytes, what: str) -> None:
    if not verified(
        certificates.p256_key(signer, stage=VerificationStage.COLLATERAL), signature, text
    ):
        raise EvidenceError(
            Fault.COLLATERAL_SIGNATURE,
            VerificationStage.COLLATERAL,
            f"{what} is not signed by its signer",
        )


@functools.lru_cache(maxsize=_REMEMBERED)
def _tcb_info(text: bytes) -> TcbInfo:
    return parse_tcb_info(_text(text))


@functools.lru_cache(maxsize=_REMEMBERED)
def _qe_identity(text: bytes) -> QeIdentity:
    return parse_qe_identity(_text(text))


def _check_window(statement: TcbInfo | QeIdentity, what: str, *, at: datetime) -> None:
    if at < statement.issued:
        raise EvidenceError(
            Fault.NOT_YET_VALID,
            VerificationStage.COLLATERAL,
            f"{what} was issued at {statement.issued}, it is {at}",
        )
    if at > statement.next_update:
        raise EvidenceError(
            Fault.COLLATERAL_EXPIRED,
            VerificationStage.COLLATERAL,
            f"{what} was to be replaced at {statement.next_update}, it is {at}: fetch it again",
        )


def _text(data: bytes) -> str:
    try:
        return data.decode("ascii")
    except UnicodeDecodeError as error:
        raise json_members.malformed("a statement of Intel is not ASCII") from error


def _field(members: json_members.Members, name: str) -> bytes:
    text = members.text(name)
    # JSON may hold half a surrogate pair: its bytes match no signature, and raise nothing here.
    if name not in _BINARY:
        return text.encode("utf-8", "surrogatepass")
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise json_members.malformed(f"collateral: {name!r} is not hexadecimal") from error
