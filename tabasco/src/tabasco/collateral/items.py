"""One piece of collateral: what it is, of whom, and from when to when it may be used.

A `CollateralItem` is only made of bytes whose signatures hold up to a pinned root, at the moment
from which all of its parts are valid. So a store has nothing in it that no vendor ever said, and
whether it may be used at a given time is a comparison.
"""

import hashlib
import itertools
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import field
from datetime import datetime
from enum import StrEnum
from typing import Final

from cryptography import x509

from tabasco.verify.amd.certificate import (
    EndorsementKey,
    check_issued,
    hardware_id_of,
    parse_endorsement_key,
    tcb_of,
)
from tabasco.verify.amd.report import Product, SigningKey, SnpTcb
from tabasco.verify.amd.snp import AMD_ROOTS
from tabasco.verify.errors import EvidenceError, Fault, VerificationStage
from tabasco.verify.intel.collateral import INTEL_ROOTS, Collateral, verify_collateral
from tabasco.verify.intel.pck import PCK_ISSUERS
from tabasco.verify.intel.quote import Tee
from tabasco.verify.intel.statements import parse_qe_identity, parse_tcb_info
from tabasco.verify.nvidia.rim import NVIDIA_RIM_ROOT_SHA256, verify_manifest
from tabasco.verify.x509 import certificates, crl, der
from tabasco.verify.xml.signature import certificates_of
from tabasco.verify.xml.tree import parse
from veracruz_utils.frozen import frozen

_VERSION_TAG: Final = b"\xa0"  # a certificate begins with it, a list does not
_RIM_SUBJECT: Final = re.compile(r"[a-z0-9]{1,32}/[a-z0-9.-]{1,64}")
_ISSUERS: Final = {SigningKey.VCEK: "SEV-", SigningKey.VLEK: "SEV-VLEK-"}


class ItemKind(StrEnum):
    """What a piece of collateral is."""

    INTEL = "intel"
    AMD_AUTHORITIES = "amd-authorities"
    AMD_CRL = "amd-crl"
    AMD_KEY = "amd-key"
    NVIDIA_RIM = "nvidia-rim"


@frozen
class Trust:
    """Whom collateral has to be by: SHA-256 digests of root certificates."""

    intel: Collection[bytes] = INTEL_ROOTS
    amd: Mapping[bytes, Product] = field(default_factory=lambda: AMD_ROOTS)
    nvidia: Collection[bytes] = (NVIDIA_RIM_ROOT_SHA256,)


@frozen
class CollateralItem:
    """A verified piece of collateral.

    Attributes:
        subject: whom it is about, such as `tdx/90c06f000000/platform` or `milan`.
        content: as it came.
        start: from when all of it is valid.
        end: when the first part of it ends.
        evaluation: Intel's tcbEvaluationDataNumber; 0 for others.
    """

    kind: ItemKind
    subject: str
    content: bytes
    start: datetime
    end: datetime
    evaluation: int = 0

    @property
    def digest(self) -> str:
        """SHA-256 of the content, in hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()


Authorities = Callable[[Product], Iterable[bytes]]
"""AMD's certificates of a product line, as far as they are known."""


def read_item(data: bytes, *, trust: Trust, authorities: Authorities) -> CollateralItem:
    """The item that some bytes are, of whatever kind their form says.

    Args:
        data: Intel's collateral as JSON; AMD's authorities in PEM, a revocation list in DER, or an
            endorsement key's certificate in either; NVIDIA's reference values as XML.
        trust: whom it has to be by.
        authorities: what AMD's lists and keys are verified with.

    Raises:
        EvidenceError: it is none of these, or by nobody who is trusted.
    """
    text = data.lstrip()
    if text.startswith(b"{"):
        return _intel(data, trust)
    if text.startswith(b"<"):
        return _nvidia_rim(data, trust)
    if certificates.is_pem(text):
        blocks = certificates.pem_blocks(text, explained=True, stage=VerificationStage.COLLATERAL)
        if len(blocks) == 1:
            return _amd_key(data, blocks[0], trust, authorities)
        return _amd_authorities(data, trust)
    body, _, _ = der.signed(data)
    if body.content[:1] == _VERSION_TAG:
        return _amd_key(data, data, trust, authorities)
    return _amd_crl(data, trust, authorities)


def intel_subject(tee: Tee, fmspc: bytes, issuer: str) -> str:
    """How Intel's collateral is called: by kind, platform and the authority that certified it."""
    authority = "processor" if "Processor" in issuer else "platform"
    return f"{tee.name.lower()}/{fmspc.hex()}/{authority}"


def key_subject(kind: SigningKey, product: Product, chip: bytes, tcb: SnpTcb) -> str:
    """How an endorsement key is called: by product, chip (of a VCEK) and firmware."""
    versions = f"{tcb.boot_loader}.{tcb.tee}.{tcb.snp}.{tcb.microcode}.{tcb.fmc}"
    of = f"/{chip.hex()}" if kind is SigningKey.VCEK else ""
    return f"{kind.name.lower()}/{product.value}{of}/{versions}"


def rim_subject(product: str, version: str) -> str:
    """How NVIDIA's reference values are called: by chip, and version of driver or firmware."""
    return f"{product}/{version}".lower()


def _nvidia_rim(data: bytes, trust: Trust) -> CollateralItem:
    try:
        start = max(each.not_valid_before_utc for each in certificates_of(parse(data)))
        manifest = verify_manifest(data, at=start, roots=trust.nvidia)
    except EvidenceError as error:
        raise EvidenceError(error.fault, VerificationStage.COLLATERAL, error.detail) from error
    subject = rim_subject(manifest.product, manifest.version)
    if not _RIM_SUBJECT.fullmatch(subject):
        raise _foreign(f"reference values of {subject[:64]!r}")
    return CollateralItem(ItemKind.NVIDIA_RIM, subject, data, start, manifest.valid_until)


def _intel(data: bytes, trust: Trust) -> CollateralItem:
    collateral = Collateral.from_json(data)
    issuers = certificates.load_pem(
        collateral.pck_crl_issuer_chain, stage=VerificationStage.COLLATERAL
    )
    name = certificates.common_name(issuers[0])
    if (
        len(issuers) != 2
        or name not in PCK_ISSUERS
        or certificates.digest(issuers[1]) not in trust.intel
    ):
        raise _foreign(f"the list of revoked platforms is by {name[:64]!r}")
    info = parse_tcb_info(collateral.tcb_info.decode("ascii", "replace"))
    identity = parse_qe_identity(collateral.qe_identity.decode("ascii", "replace"))
    root_list, platforms = crl.load(collateral.root_ca_crl), crl.load(collateral.pck_crl)
    starts = (info.issued, identity.issued, root_list.last_update_utc, platforms.last_update_utc)
    start = max(starts)
    statements = verify_collateral(collateral, root=issuers[1], at=start)
    end = crl.check(platforms, issuers[0], at=start)
    crl.check_not_revoked(statements.root_crl, issuers[0])
    if info.tee is not identity.tee:
        raise EvidenceError(
            Fault.COLLATERAL_MISMATCH,
            VerificationStage.COLLATERAL,
            f"TCB info of {info.tee.name}, QE identity of {identity.tee.name}",
        )
    return CollateralItem(
        kind=ItemKind.INTEL,
        subject=intel_subject(info.tee, info.fmspc, name),
        content=data,
        start=start,
        end=min(end, statements.valid_until),
        evaluation=min(info.evaluation, identity.evaluation),
    )


def _amd_authorities(data: bytes, trust: Trust) -> CollateralItem:
    given = certificates.load_pem(data, explained=True, stage=VerificationStage.COLLATERAL)
    root, product = _root_of(given, trust)
    below = [each for each in given if each is not root]
    starts = [max(each.not_valid_before_utc, root.not_valid_before_utc) for each in below]
    ends = [
        certificates.check_issuers(
            (each, root), roots=trust.amd.keys(), at=start, stage=VerificationStage.COLLATERAL
        )
        for each, start in zip(below, starts, strict=True)
    ]
    wanted = {prefix + product.name.capitalize() for prefix in _ISSUERS.values()}
    others = {certificates.common_name(each) for each in below} - wanted
    if not below or others:
        raise _foreign(f"no authorities of {product.value}: {', '.join(sorted(others)) or 'none'}")
    # Each is good for its own time; whoever uses one of them compares that.
    return CollateralItem(ItemKind.AMD_AUTHORITIES, product.value, data, min(starts), max(ends))


def _amd_crl(data: bytes, trust: Trust, authorities: Authorities) -> CollateralItem:
    listed = crl.load(data)
    issuer = der.children(der.read(listed.tbs_certlist_bytes, der.SEQUENCE))[2].encoded
    for product in trust.amd.values():
        for known in authorities(product):
            root, _ = _root_of(certificates.load_pem(known, explained=True), trust)
            if issuer == certificates.outline_of(root).subject.encoded:
                start = listed.last_update_utc
                end = crl.check(listed, root, at=start)
                return CollateralItem(ItemKind.AMD_CRL, product.value, data, start, end)
    raise _unknown_authorities()


def _amd_key(data: bytes, encoded: bytes, trust: Trust, authorities: Authorities) -> CollateralItem:
    key = parse_endorsement_key(encoded)
    for product in trust.amd.values():
        issuer = _issuer(key, product, authorities)
        if issuer is not None:
            check_issued(key, issuer)
            chip = hardware_id_of(key, product) if key.kind is SigningKey.VCEK else b""
            subject = key_subject(key.kind, product, chip, tcb_of(key, product))
            return CollateralItem(ItemKind.AMD_KEY, subject, data, key.start, key.end)
    raise _unknown_authorities()


def _issuer(
    key: EndorsementKey, product: Product, authorities: Authorities
) -> x509.Certificate | None:
    name = _ISSUERS[key.kind] + product.name.capitalize()
    given = (certificates.load_pem(known, explained=True) for known in authorities(product))
    for each in itertools.chain.from_iterable(given):
        outline = certificates.outline_of(each)
        if outline.common_name == name and outline.subject.encoded == key.issuer:
            return each
    return None


def _root_of(given: tuple[x509.Certificate, ...], trust: Trust) -> tuple[x509.Certificate, Product]:
    for each in given:
        product = trust.amd.get(certificates.digest(each))
        if product is not None:
            return each, product
    raise _foreign(f"certificates of {', '.join(certificates.name(each) for each in given)}")


def _foreign(what: str) -> EvidenceError:
    return EvidenceError(
        Fault.UNKNOWN_ROOT,
        VerificationStage.COLLATERAL,
        f"{what}: it does not end in a pinned root",
    )


def _unknown_authorities() -> EvidenceError:
    return EvidenceError(
        Fault.COLLATERAL_MISSING,
        VerificationStage.COLLATERAL,
        "AMD's authorities for this are not in the store: import their certificate chain first",
    )
