"""AWS NitroTPM attestation documents: the registers of an instance's TPM, signed by AWS.

A document of the form of Nitro Enclaves, by the same authorities, whose registers are called
`nitrotpm_pcrs`: 24 of the SHA-384 bank. It says nothing of an enclave's debug mode. The instance
may bind a key of its choice into it (`public_key`): where that is an attestation key of the TPM,
quotes by it can be believed as long as the document is (`certify`).
"""

import hmac
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tabasco.verify import named
from tabasco.verify.aws.nitro import (
    AWS_NITRO_ROOT_SHA256,
    TPM_REGISTERS,
    NitroDocument,
    facts_of,
    parse_nitro,
    verify_document,
)
from tabasco.verify.errors import EvidenceError, Fault, VerificationStage, malformed
from tabasco.verify.kinds import EvidenceKind
from tabasco.verify.proven import Proven
from tabasco.verify.tpm.quote import CertifiedKey
from tabasco.verify.tpm.structures import AttestationKey

_REGISTERS: Final = 24


def parse_nitro_tpm(data: bytes) -> NitroDocument:
    """The document that `data` is.

    Raises:
        EvidenceError: stage `format`.
    """
    document = parse_nitro(data, registers=TPM_REGISTERS)
    if set(document.pcrs) != set(range(_REGISTERS)):
        raise malformed(f"the document has {len(document.pcrs)} registers, a TPM has {_REGISTERS}")
    return document


def verify_nitro_tpm(
    data: bytes,
    *,
    at: datetime,
    nonce: bytes | None = None,
    max_age: timedelta = timedelta(minutes=5),
    clock_skew: timedelta = timedelta(minutes=1),
    roots: Collection[bytes] = (AWS_NITRO_ROOT_SHA256,),
) -> Proven:
    """What an authentic document proves; `report_data` is its `user_data`.

    Arguments and errors as of `verify_nitro`.
    """
    document = parse_nitro_tpm(data)
    chain, valid_until = verify_document(
        document, at=at, nonce=nonce, max_age=max_age, clock_skew=clock_skew, roots=roots
    )
    return Proven(
        kind=EvidenceKind.NITRO_TPM,
        measurements={f"pcr{index}": value for index, value in sorted(document.pcrs.items())},
        report_data=document.user_data or b"",
        debug=None,
        valid_until=valid_until,
        facts=facts_of(document),
        named=tuple(named.certificates(chain)),
    )


def certify(data: bytes, proven: Proven, key: AttestationKey) -> CertifiedKey:
    """A TPM's attestation key that a verified document binds.

    Args:
        data: the document.
        proven: what `verify_nitro_tpm` says of it.
        key: that the document has to have as its `public_key`: a point, or a DER
            SubjectPublicKeyInfo.

    Raises:
        EvidenceError: it has another, or none.
    """
    bound = parse_nitro_tpm(data).public_key or b""
    forms = [key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)]
    if isinstance(key, ec.EllipticCurvePublicKey):
        forms.append(key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))
    if not any(hmac.compare_digest(bound, each) for each in forms):
        raise EvidenceError(
            Fault.KEY_BINDING,
            VerificationStage.BINDING,
            f"the document binds key {bound.hex()[:140] or 'none'}, the quote is by "
            f"{forms[-1].hex()[:140]}",
        )
    return CertifiedKey(key, "the document of AWS", proven.valid_until)
