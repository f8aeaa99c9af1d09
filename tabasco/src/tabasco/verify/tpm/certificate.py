"""Attestation keys by certificate: a cloud or a manufacturer vouches that a TPM holds the key.

Nobody's root is pinned here: whom to believe about TPMs the caller says. The certificate has to be
one for signatures, so that an endorsement key, which can only decrypt, is none.
"""

from collections.abc import Collection, Sequence
from datetime import datetime

from cryptography import x509

from tabasco.verify import named
from tabasco.verify.errors import EvidenceError, Fault, VerificationStage
from tabasco.verify.tpm.quote import CertifiedKey, usable_key
from tabasco.verify.x509 import certificates, crl


def key_of_certificate(
    certificate: bytes,
    *,
    authorities: bytes | None,
    roots: Collection[bytes],
    root_certificates: Sequence[bytes] = (),
    revoked: bytes | None = None,
    at: datetime,
) -> CertifiedKey:
    """The attestation key of a certificate that leads to a trusted root.

    Args:
        certificate: of the key, DER; or PEM, with or without those above it.
        authorities: those above it, PEM, in any order.
        roots: SHA-256 digests of the roots that are trusted.
        root_certificates: these themselves, DER, where the authorities end below them.
        revoked: a list of revoked certificates by one of the authorities, DER.
        at: the time to verify for.

    Raises:
        EvidenceError: it does not lead there, is revoked, or is not for signatures.
    """
    leaf, *above = _read(certificate)
    if authorities is not None:
        above += _read(authorities)
    above += [certificates.load(each) for each in root_certificates]
    chain = _ordered(leaf, above)
    end = certificates.check_chain(chain, roots=roots, at=at)
    if revoked is not None:
        end = min(end, _check_revocation(revoked, chain, at))
    key = chain[0].public_key()
    return CertifiedKey(
        usable_key(key),
        f"{certificates.name(chain[1])}, root {certificates.digest(chain[-1]).hex()[:16]}",
        end,
        tuple(named.certificates(chain)),
    )


def _read(data: bytes) -> list[x509.Certificate]:
    if certificates.is_pem(data):
        return list(certificates.load_pem(data, explained=True))
    return [certificates.load(data)]


def _ordered(
    leaf: x509.Certificate, above: Sequence[x509.Certificate]
) -> tuple[x509.Certificate, ...]:
    """From the leaf up by names, each once; whether they are issued so is checked later."""
    by_name = {certificates.outline_of(each).subject.encoded: each for each in above}
    chain = [leaf]
    while len(chain) <= certificates.MAX_CHAIN:
        found = by_name.pop(certificates.outline_of(chain[-1]).issuer.encoded, None)
        if found is None:
            break
        chain.append(found)
    return tuple(chain)


def _check_revocation(data: bytes, chain: Sequence[x509.Certificate], at: datetime) -> datetime:
    revoked = crl.load(data)
    issuers = {certificates.outline_of(each).subject.encoded: each for each in chain[1:]}
    named_issuer = revoked.issuer.public_bytes()
    issuer = issuers.get(named_issuer)
    if issuer is None:
        raise EvidenceError(
            Fault.COLLATERAL_MISMATCH,
            VerificationStage.COLLATERAL,
            "the list of revoked certificates is by none of the authorities",
        )
    end = crl.check(revoked, issuer, at=at)
    for each in chain[:-1]:
        if certificates.outline_of(each).issuer.encoded == named_issuer:
            crl.check_not_revoked(revoked, each)
    return end
