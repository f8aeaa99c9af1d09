"""AMD's certificates in the forms in which people have them.

A VCEK or VLEK comes as DER, as PEM, as PEM with its authorities behind it (as `snphost` and AMD's
own service put them into one file), or in the JSON that Azure's hosts hand out (THIM), which may be
in base64.
"""

import base64

from psa_attestation.jose.strict_json import decode_json
from tabasco.verify.amd.certificate import NAMES
from tabasco.verify.conversion import as_evidence_error
from tabasco.verify.errors import EvidenceError, Fault, VerificationStage, malformed
from tabasco.verify.x509 import certificates
from tabasco.verify.x509.outline import outline


def endorsement_key_in(data: bytes) -> tuple[bytes, bytes | None]:
    """The VCEK or VLEK in some bytes as DER, and the authorities that came with it as PEM.

    Raises:
        EvidenceError: there is not just one such key.
    """
    text = _of_json(data)
    if not certificates.is_pem(text):
        return text, None
    keys, others = _sorted(certificates.pem_blocks(text, explained=True))
    if len(keys) != 1:
        fault = Fault.MALFORMED if keys else Fault.CHAIN
        raise EvidenceError(
            fault,
            VerificationStage.CHAIN,
            f"{len(keys)} certificates of endorsement keys, one is wanted",
        )
    return keys[0], _pem(others) if others else None


def authorities_in(text: bytes) -> bytes:
    """The certificates above a VCEK or VLEK, as PEM; that key itself is left out.

    Raises:
        EvidenceError: there is none.
    """
    text = _of_json(text)
    _, others = _sorted(certificates.pem_blocks(text, explained=True))
    return _pem(others)


def _sorted(blocks: list[bytes]) -> tuple[list[bytes], list[bytes]]:
    keys = [each for each in blocks if outline(each).common_name in NAMES]
    return keys, [each for each in blocks if each not in keys]


def _pem(blocks: list[bytes]) -> bytes:
    return b"".join(map(certificates.as_pem, blocks))


def _of_json(data: bytes) -> bytes:
    """The PEM text in the JSON of THIM; anything else as it is."""
    text = data.strip()
    if text.startswith((b"eyJ", b"ewo")):  # base64 of an object's beginning
        try:
            text = base64.b64decode(b"".join(text.split()), validate=True)
        except ValueError as error:
            raise malformed("the certificates are neither JSON nor base64 of it") from error
    if not text.startswith(b"{"):
        return data
    with as_evidence_error("the host's certificates"):
        document = decode_json(text)
    members = document if isinstance(document, dict) else {}
    parts = [members.get(name) for name in ("vcekCert", "certificateChain")]
    given = [part.encode() for part in parts if isinstance(part, str)]
    if len(given) != len(parts):
        raise malformed("the host's certificates are not in vcekCert and certificateChain")
    return b"\n".join(given)
