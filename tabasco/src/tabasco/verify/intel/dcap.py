"""Verifies Intel SGX and TDX quotes (DCAP, ECDSA) against Intel's collateral, offline.

Who vouches for whom: Intel's root certifies an authority, which certifies the platform's key
(PCK); that key signs the report of the quoting enclave (QE); the report carries a digest of the
attestation key; that key signs the quote. Intel also signs two statements, which say what the
platform and the quoting enclave are worth today. Every step is checked, in this order:

    (1) the quote's signature by the attestation key
    (2) the attestation key in the QE's report, and nothing else there
    (3) the QE's report by the platform's key
    (4) the platform's certificate, up to a pinned root
    (5) the collateral: signatures over the exact bytes, signers, times
    (6) revocation of every certificate, by the list of its own issuer
    (7) the collateral is for this kind of platform
    (8) the QE is Intel's
    (9) the standing of platform, TDX module and QE

What is authentic but not acceptable (debug, a bad standing, a weak attribute) is for `appraise`.
"""

import hashlib
from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Final

from cryptography import x509

from psa_attestation.cose.keys import key_of_point
from psa_attestation.errors import AttestationError
from tabasco.verify import named
from tabasco.verify.errors import EvidenceError, Fault, VerificationStage
from tabasco.verify.intel import tcb
from tabasco.verify.intel.collateral import (
    INTEL_ROOTS,
    Collateral,
    Statements,
    verified,
    verify_collateral,
)
from tabasco.verify.intel.contents import contents_of
from tabasco.verify.intel.pck import PCK_ISSUERS, PCK_NAME, Platform, platform_of
from tabasco.verify.intel.quote import DcapQuote, TdReport, Tee, parse_quote
from tabasco.verify.intel.statements import Standing
from tabasco.verify.kinds import EvidenceKind
from tabasco.verify.named import Named, Subject
from tabasco.verify.proven import Fact, Proven
from tabasco.verify.x509 import certificates, crl

_KINDS: Final = {Tee.SGX: EvidenceKind.SGX, Tee.TDX: EvidenceKind.TDX}


def verify_dcap(
    data: bytes,
    *,
    collateral: Collateral,
    at: datetime,
    roots: Collection[bytes] = INTEL_ROOTS,
    padded: bool = True,
) -> Proven:
    """What a quote proves, of kind `sgx` or `tdx`.

    Args:
        data: the quote, at most 64 KiB.
        collateral: for the quote's platform and kind.
        at: the time to verify for, with a time zone.
        roots: SHA-256 digests of the root certificates that are trusted.
        padded: whether zero bytes may follow the quote.

    Raises:
        EvidenceError: it proves nothing.
    """
    # What a step reads is signed by what an earlier one checked; the first to fail is the reason.
    quote = parse_quote(data, padded=padded)
    _check_quote_signature(quote)  # (1)
    _check_key_binding(quote)  # (2)
    chain = certificates.load_pem(quote.pck_chain)
    key = certificates.p256_key(chain[0])
    if not verified(key, quote.qe_report_signature, quote.qe_report.raw):  # (3)
        raise EvidenceError(
            Fault.SIGNATURE,
            VerificationStage.SIGNATURE,
            "the quoting enclave's report is not signed by the platform's key",
        )
    ends = [_check_platform_chain(chain, roots=roots, at=at)]  # (4)
    # By the very root that (4) pinned, so that no other authority speaks of this platform.
    statements = verify_collateral(collateral, root=chain[-1], at=at)  # (5)
    ends += [statements.valid_until, _check_revocation(chain, collateral, statements, at=at)]  # (6)
    platform = platform_of(chain[0])
    _check_match(quote.tee, platform, statements)  # (7)
    qe = tcb.check_qe(quote.qe_report, statements.qe_identity)  # (8)
    standing = _standing(quote, platform, statements, qe)  # (9)
    proven = _proven(quote, platform, statements, standing, min(ends))
    return replace(proven, named=tuple(_named(quote, chain, platform, statements)))


def _check_quote_signature(quote: DcapQuote) -> None:
    try:
        # Quotes leave out the 04 of an uncompressed point (SEC 1, 2.3.3).
        key = key_of_point(b"\x04" + quote.attestation_key)
    except AttestationError as error:
        raise EvidenceError(
            Fault.MALFORMED,
            VerificationStage.SIGNATURE,
            "the attestation key is not a point of P-256",
        ) from error
    if not verified(key, quote.signature, quote.signed):
        raise EvidenceError(
            Fault.SIGNATURE,
            VerificationStage.SIGNATURE,
            "the quote is not signed by its attestation key",
        )


def _check_key_binding(quote: DcapQuote) -> None:
    # All 64 bytes: what stands behind the digest was chosen by nobody we know.
    digest = hashlib.sha256(quote.attestation_key + quote.qe_auth_data).digest()
    if quote.qe_report.report_data != digest + bytes(32):
        raise EvidenceError(
            Fault.KEY_BINDING,
            VerificationStage.SIGNATURE,
            "the attestation key is not the one in the quoting enclave's report",
        )


def _check_platform_chain(
    chain: tuple[x509.Certificate, ...], *, roots: Collection[bytes], at: datetime
) -> datetime:
    end = certificates.check_chain(chain, roots=roots, at=at)
    # The signers of collateral end in the same root: the names keep them from being platforms.
    names = [certificates.common_name(certificate) for certificate in chain]
    if len(chain) != 3 or names[0] != PCK_NAME or names[1] not in PCK_ISSUERS:
        raise EvidenceError(
            Fault.CHAIN,
            VerificationStage.CHAIN,
            f"{names[0][:64]!r} is not a platform's certificate",
        )
    # The path takes any algorithm of its list; Intel's authorities have keys on P-256 alone.
    for authority in chain[1:]:
        certificates.p256_key(authority)
    return end


def _check_revocation(
    chain: tuple[x509.Certificate, ...],
    collateral: Collateral,
    statements: Statements,
    *,
    at: datetime,
) -> datetime:
    leaf, authority, _ = chain
    platforms = crl.load(collateral.pck_crl)
    end = crl.check(platforms, authority, at=at)
    # (5) has checked the root's list; the root is on none, as its bytes are pinned.
    crl.check_not_revoked(statements.root_crl, authority)
    crl.check_not_revoked(platforms, leaf)
    return end


def _check_match(tee: Tee, platform: Platform, statements: Statements) -> None:
    info, identity = statements.tcb_info, statements.qe_identity
    if info.tee is not tee or identity.tee is not tee:
        raise EvidenceError(
            Fault.COLLATERAL_MISMATCH,
            VerificationStage.COLLATERAL,
            f"the quote is of {tee.name}, the TCB info of {info.tee.name}, "
            f"the QE identity of {identity.tee.name}",
        )
    # TCB info of another model is authentic as well, and may call up to date what is not so here.
    if (platform.fmspc, platform.pce_id) != (info.fmspc, info.pce_id):
        raise EvidenceError(
            Fault.COLLATERAL_MISMATCH,
            VerificationStage.COLLATERAL,
            f"the platform is {platform.fmspc.hex()}/{platform.pce_id.hex()}, "
            f"the TCB info is for {info.fmspc.hex()}/{info.pce_id.hex()}",
        )


def _standing(
    quote: DcapQuote, platform: Platform, statements: Statements, qe: Standing
) -> Standing:
    info = statements.tcb_info
    if isinstance(quote.body, TdReport):
        return tcb.worst(tcb.standing_of_tdx(info, platform, quote.body, qe), qe)
    return tcb.worst(tcb.standing_of_sgx(info, platform), qe)


def _named(
    quote: DcapQuote,
    chain: tuple[x509.Certificate, ...],
    platform: Platform,
    statements: Statements,
) -> Iterator[Named]:
    yield named.key("attestation key", key_of_point(b"\x04" + quote.attestation_key))
    yield from named.certificates((*chain, *statements.signers))
    if any(platform.ppid):
        yield Named(Subject.INSTANCE, "ppid", platform.ppid)


def _proven(
    quote: DcapQuote,
    platform: Platform,
    statements: Statements,
    standing: Standing,
    valid_until: datetime,
) -> Proven:
    facts: dict[str, Fact] = {
        "quote_version": quote.version,
        "fmspc": platform.fmspc.hex(),
        "pce_id": platform.pce_id.hex(),
        "pce_svn": platform.pce_svn,
        # The certificate has integers of any size here, and `bytes` would raise for a larger one.
        "platform_svns": bytes(min(svn, 255) for svn in platform.svns).hex(),
        "qe_svn": quote.qe_report.isv_svn,
        "tcb_evaluation": statements.tcb_info.evaluation,
        "qe_evaluation": statements.qe_identity.evaluation,
    }
    contents = contents_of(quote.body)
    return Proven(
        kind=_KINDS[quote.tee],
        measurements=contents.measurements,
        report_data=quote.body.report_data,
        debug=contents.debug,
        valid_until=valid_until,
        tcb_status=standing.status,
        advisories=tuple(sorted(standing.advisories)),
        facts={**facts, **contents.facts},
        concerns=contents.concerns,
    )
