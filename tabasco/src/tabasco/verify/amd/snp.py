"""Verifies AMD SEV-SNP attestation reports against AMD's certificates, offline.

Who vouches for whom: AMD's root key (ARK) certifies the key of a product line, ASK for chips and
ASVK for providers; that certifies the VCEK or VLEK, which signs the report. In this order:

    (1) the certificates: pinned root, product line, endorsement key, all valid
    (2) revocation, where AMD's list is given
    (3) the report's signature
    (4) the certificate is for this kind of key, this product, this firmware and this chip

What is authentic but not acceptable (debug, migration, a high VMPL, old firmware) is for
`appraise`. AMD names no advisories in its evidence: the floor for firmware is the policy's.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from tabasco.verify import named
from tabasco.verify.amd.certificate import (
    EndorsementKey,
    check_issued,
    hardware_id_of,
    parse_endorsement_key,
    provider_of,
    tcb_of,
)
from tabasco.verify.amd.given import authorities_in, endorsement_key_in
from tabasco.verify.amd.report import (
    CHIP_ID_BYTES,
    Product,
    SigningKey,
    SnpReport,
    SnpTcb,
    parse_report,
)
from tabasco.verify.errors import EvidenceError, Fault, VerificationStage
from tabasco.verify.kinds import EvidenceKind
from tabasco.verify.named import Named, Subject
from tabasco.verify.proven import Concern, Fact, HexNumber, Proven
from tabasco.verify.x509 import certificates, crl
from veracruz_utils.frozen import frozen

AMD_ROOTS: Final[Mapping[bytes, Product]] = MappingProxyType(
    {
        bytes.fromhex(
            "69d063b45344d26a2e94e1f4210de49ef555308287d4c174445c95639a540bcd"
        ): Product.MILAN,
        bytes.fromhex(
            "4c6598d19c18719c5dfd4a7d335f674e5bfe1d8f800cea2cf270c10d103db2f1"
        ): Product.GENOA,
        bytes.fromhex(
            "1f084161a44bb6d93778a904877d4819cafa5d05ef4193b2ded9dd9c73dd3f6a"
        ): Product.TURIN,
    }
)
"""SHA-256 of the certificates ARK-Milan, ARK-Genoa and ARK-Turin, as AMD publishes them
(kdsintf.amd.com/vcek/v1/{Milan,Genoa,Turin}/cert_chain)."""

# Beginnings of the common names of AMD's ASK and ASVK; the product's name follows.
_AUTHORITIES: Final = {SigningKey.VCEK: "SEV-", SigningKey.VLEK: "SEV-VLEK-"}
# Bits of the guest's policy (AMD 56860, table "Guest Policy").
_MIGRATE_MA: Final = 1 << 18
_DEBUG: Final = 1 << 19


@frozen
class Endorsements:
    """AMD's certificates for a report, unverified.

    Attributes:
        key: the VCEK or VLEK: DER, PEM or the JSON of Azure's hosts.
        authorities: PEM, in any order: the root, and the ASK or ASVK (or both), where they did not
            come with the key.
        crl: DER, by the root; None where revocation cannot be checked.
    """

    key: bytes
    authorities: bytes | None = None
    crl: bytes | None = None


def verify_snp(
    data: bytes,
    *,
    endorsements: Endorsements,
    at: datetime,
    roots: Mapping[bytes, Product] = AMD_ROOTS,
    floor: SnpTcb | None = None,
    max_vmpl: int = 0,
) -> Proven:
    """What a report proves, of kind `sev-snp`.

    Args:
        data: 1184 bytes.
        endorsements: the certificates that go with it.
        at: the time to verify for, with a time zone.
        roots: the products of the root certificates that are trusted, by their SHA-256 digests.
        floor: the oldest firmware that raises no concern; None has no floor.
        max_vmpl: the highest privilege level number that raises no concern, 0 to 3.

    Raises:
        EvidenceError: it proves nothing.
    """
    report = parse_report(data)
    encoded, beside = endorsement_key_in(endorsements.key)
    key = parse_endorsement_key(encoded)
    chain = _authorities(endorsements.authorities or beside, key)
    ends = [certificates.check_issuers(chain, roots=roots.keys(), at=at), key.end]  # (1)
    # By the pinned root: a report says its product only since version 3, and is not verified yet.
    product = roots[certificates.digest(chain[-1])]
    _check_endorsement(key, chain[0], product, at=at)
    if endorsements.crl is not None:
        ends.append(_check_revocation(endorsements.crl, chain, at=at))  # (2)
    _check_signature(report, key)  # (3)
    _check_match(report, key, product)  # (4)
    return Proven(
        kind=EvidenceKind.SEV_SNP,
        measurements=_measurements(report),
        report_data=report.report_data,
        debug=bool(report.policy & _DEBUG),
        valid_until=min(ends),
        facts=_facts(report, key, product),
        warnings=()
        if endorsements.crl is not None
        else ("whether AMD revoked the certificates was not checked: no list was given",),
        concerns=tuple(_concerns(report, product, floor, max_vmpl)),
        named=tuple(_named(key, chain, product)),
    )


def _authorities(text: bytes | None, key: EndorsementKey) -> tuple[x509.Certificate, ...]:
    """The key's issuer by name, and that issuer's own; whether they are so is checked later."""
    given = certificates.load_pem(authorities_in(text)) if text else ()
    names = [certificates.outline_of(each).subject.encoded for each in given]
    # The issuer is looked up by name, so a second one of that name could be put before it.
    if len(set(names)) != len(names):
        raise EvidenceError(
            Fault.CHAIN, VerificationStage.CHAIN, "two authorities have the same name"
        )
    by_name = dict(zip(names, given, strict=True))
    issuer = by_name.get(key.issuer)
    root = None if issuer is None else by_name.get(certificates.outline_of(issuer).issuer.encoded)
    if issuer is None or root is None or issuer is root:
        raise EvidenceError(
            Fault.CHAIN,
            VerificationStage.CHAIN,
            f"the issuer of the {key.kind.name}, or its own, is not given",
        )
    return issuer, root


def _check_endorsement(
    key: EndorsementKey, issuer: x509.Certificate, product: Product, *, at: datetime
) -> None:
    wanted = _AUTHORITIES[key.kind] + product.name.capitalize()
    # The authority of one product, or of chips, must not vouch for another, or for a provider.
    if certificates.common_name(issuer) != wanted:
        raise EvidenceError(
            Fault.CHAIN,
            VerificationStage.CHAIN,
            f"the {key.kind.name} is by {certificates.name(issuer)}, it should be by {wanted!r}",
        )
    check_issued(key, issuer)
    certificates.check_validity(
        key.start, key.end, at=at, what=f"the {key.kind.name}'s certificate"
    )


def _check_revocation(
    data: bytes, chain: tuple[x509.Certificate, ...], *, at: datetime
) -> datetime:
    issuer, root = chain
    revoked = crl.load(data)
    end = crl.check(revoked, root, at=at)
    # No VCEK can be on it, as all of them have serial number 0: it speaks of authorities.
    crl.check_not_revoked(revoked, issuer)
    return end


def _check_signature(report: SnpReport, key: EndorsementKey) -> None:
    try:
        signature = encode_dss_signature(report.r, report.s)
        key.key.verify(signature, report.signed, ec.ECDSA(hashes.SHA384()))
    except InvalidSignature as error:
        raise EvidenceError(
            Fault.SIGNATURE,
            VerificationStage.SIGNATURE,
            f"the report is not signed by this {key.kind.name}",
        ) from error


def _check_match(report: SnpReport, key: EndorsementKey, product: Product) -> None:
    if report.signing_key is not key.kind:
        raise _mismatch(f"it says {report.signing_key.name}, the certificate is a {key.kind.name}")
    if report.product not in {None, product}:
        raise _mismatch(f"it is of {report.product}, the certificates are of {product}")
    # The key was derived for the TCB that was reported, which may be older than the current one.
    reported, certified = SnpTcb.from_bytes(report.reported_tcb, product), tcb_of(key, product)
    if reported != certified:
        raise _mismatch(f"it reports {reported}, the certificate is for {certified}")
    # A VLEK is the provider's, and not bound to a chip.
    if key.kind is SigningKey.VCEK:
        chip = hardware_id_of(key, product)
        # A host may mask the id in the report; it is this chip all the same, by the very key that
        # signed. Turin's id has 8 bytes.
        if any(report.chip_id) and report.chip_id != chip.ljust(CHIP_ID_BYTES, b"\0"):
            raise _mismatch("it is of another chip than the certificate")


def _mismatch(detail: str) -> EvidenceError:
    return EvidenceError(
        Fault.CERTIFICATE_MISMATCH,
        VerificationStage.CHAIN,
        f"the certificate is not for this report: {detail}",
    )


def _measurements(report: SnpReport) -> dict[str, bytes]:
    return {
        "measurement": report.measurement,
        "host_data": report.host_data,
        "id_key_digest": report.id_key_digest,
        "author_key_digest": report.author_key_digest,
    }


def _facts(report: SnpReport, key: EndorsementKey, product: Product) -> dict[str, Fact]:
    def tcb(raw: bytes) -> str:
        return str(SnpTcb.from_bytes(raw, product))

    return {
        "report_version": report.version,
        "product": product.value,
        "signing_key": key.kind.name.lower(),
        "vmpl": report.vmpl,
        "policy": HexNumber(report.policy),
        "guest_svn": report.guest_svn,
        "family_id": report.family_id.hex(),
        "image_id": report.image_id.hex(),
        "platform_info": HexNumber(report.platform_info),
        "author_key": str(report.author_key).lower(),
        "report_id": report.report_id.hex(),
        "report_id_ma": report.report_id_ma.hex(),
        "chip_id": report.chip_id.hex(),
        "chip_id_masked": str(not any(report.chip_id)).lower(),
        **_holder(key, product),
        "reported_tcb": tcb(report.reported_tcb),
        **_components(SnpTcb.from_bytes(report.reported_tcb, product)),
        "current_tcb": tcb(report.current_tcb),
        "committed_tcb": tcb(report.committed_tcb),
        "launch_tcb": tcb(report.launch_tcb),
        **_mitigations(report),
    }


def _holder(key: EndorsementKey, product: Product) -> dict[str, Fact]:
    """Whose key signed: of which chip, or lent to which provider."""
    if key.kind is SigningKey.VLEK:
        return {"csp_id": provider_of(key)}
    return {"hardware_id": hardware_id_of(key, product).hex()}


def _mitigations(report: SnpReport) -> dict[str, Fact]:
    given = {
        "launch_mitigations": report.launch_mitigations,
        "current_mitigations": report.current_mitigations,
    }
    return {name: HexNumber(value) for name, value in given.items() if value is not None}


def _components(reported: SnpTcb) -> dict[str, Fact]:
    """Each on its own, for policies that have a floor."""
    return {
        "tcb_boot_loader": reported.boot_loader,
        "tcb_tee": reported.tee,
        "tcb_snp": reported.snp,
        "tcb_microcode": reported.microcode,
        "tcb_fmc": reported.fmc,
    }


def _named(
    key: EndorsementKey, chain: tuple[x509.Certificate, ...], product: Product
) -> Iterator[Named]:
    yield named.key(key.kind.name, key.key)
    yield Named(Subject.CERTIFICATE, f"certificate of the {key.kind.name}", key.digest)
    yield from named.certificates(chain)
    if key.kind is SigningKey.VCEK:  # by its certificate: a host may mask the id in the report
        chip = hardware_id_of(key, product).ljust(CHIP_ID_BYTES, b"\0")
        yield Named(Subject.INSTANCE, "chip_id", chip)


def _concerns(
    report: SnpReport, product: Product, floor: SnpTcb | None, max_vmpl: int
) -> Iterator[Concern]:
    if report.policy & _MIGRATE_MA:
        yield Concern(
            "snp.migration-agent",
            Fault.ATTRIBUTES,
            "a migration agent may move the guest to another machine",
        )
    if report.signing_key is SigningKey.VCEK and not any(report.chip_id):
        yield Concern(
            "snp.chip-id-masked",
            Fault.ATTRIBUTES,
            "the host masks the chip's id in its reports: only the certificate says which chip it "
            "is",
        )
    if report.vmpl > max_vmpl:
        yield Concern(
            f"snp.vmpl={report.vmpl}",
            Fault.PRIVILEGE_LEVEL,
            f"the report was asked for at privilege level {report.vmpl}, at most {max_vmpl} is "
            "accepted",
        )
    reported = SnpTcb.from_bytes(report.reported_tcb, product)
    below = reported.below(floor) if floor is not None else ()
    if below:
        yield Concern(
            "snp.tcb-below-floor",
            Fault.TCB_FLOOR,
            f"{', '.join(below)} of the firmware are too old: {reported}, wanted {floor}",
        )
