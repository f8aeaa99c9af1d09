"""Evidence of hardware as a root attester sends it: what the platform gave, and what goes with it.

A CBOR array of the label, the kind of evidence, the platform's own bytes, and a map of what else a
verifier needs of the attester, such as AMD's certificate of the signing key. Nothing in it is
trusted for being there: the verifier checks the certificates as it checks the evidence.
"""

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum
from typing import Final

from psa_attestation.binding import binding_digest
from psa_attestation.cbor.decoding import DecodeLimits, decode
from psa_attestation.cbor.encoding import encode
from psa_attestation.errors import AttestationError, ErrorCode, Stage
from veracruz_utils.frozen import frozen

MAX_NATIVE_EVIDENCE_BYTES: Final = 256 * 1024
"""Enough for a machine with eight GPUs and their certificates."""
_LABEL: Final = "veracruz-native-evidence-1"
_LIMITS: Final = DecodeLimits(max_bytes=MAX_NATIVE_EVIDENCE_BYTES, max_items=64, max_depth=3)
_MAX_PARTS: Final = 8
_REPORT_LABEL: Final = "veracruz-sonora-report-data-v1"


class AuxiliaryPart(StrEnum):
    """What goes with a platform's bytes where its attester has it, by the part's name."""

    CERTIFICATE = "certificate"
    """Of the key that signs a report of SEV-SNP."""
    AUTHORITIES = "authorities"
    """Above it."""
    KEY_AREA = "key-area"
    """TPMT_PUBLIC of the key that signs a TPM's quote."""
    ENDORSEMENT_CERTIFICATE = "endorsement-certificate"
    """Of that TPM's endorsement key, DER."""
    ENDORSEMENT_AUTHORITIES = "endorsement-authorities"
    """Above it, PEM."""
    ACTIVATED_SECRET = "activated-secret"  # noqa: S105 - a name
    """What the TPM made of the credential that the verifier gave for this enrolment."""
    EVENT_LOG = "event-log"
    """What firmware says it extended a TPM's registers with, as TCG's PC Client profile has it."""


@frozen
class NativeEvidence:
    """What a platform said, raw.

    Attributes:
        kind: of evidence, such as `sgx`, `tdx`, `sev-snp`, `nitro`.
        raw: the platform's bytes.
        auxiliary: what goes with them, by name, at most 8 parts.
    """

    kind: str
    raw: bytes
    auxiliary: Mapping[str, bytes] = field(default_factory=dict)

    def encode(self) -> bytes:
        """The evidence on its way to a verifier.

        Raises:
            AttestationError: it is too long to be read again.
        """
        data = encode([_LABEL, self.kind, self.raw, dict(self.auxiliary)])
        NativeEvidence.decode(data)
        return data

    @classmethod
    def decode(cls, data: bytes) -> "NativeEvidence":
        """The evidence that `data` is, to the last byte.

        Raises:
            AttestationError: it is something else.
        """
        match decode(data, _LIMITS):
            case [str(label), str(kind), bytes(raw), dict(parts)] if label == _LABEL:
                pass
            case _:
                raise _malformed("it is not native evidence of version 1")
        if not 0 < len(kind) <= 32 or not kind.isascii() or not kind.isprintable():
            raise _malformed("the kind is not a name")
        auxiliary: dict[str, bytes] = {}
        for name, value in parts.items():
            if not isinstance(name, str) or not isinstance(value, bytes) or len(name) > 32:
                raise _malformed("an auxiliary part is not bytes under a name")
            auxiliary[name] = value
        if len(auxiliary) > _MAX_PARTS:
            raise _malformed(f"{len(auxiliary)} auxiliary parts, at most {_MAX_PARTS} are read")
        return cls(kind, raw, auxiliary)


def report_data_of(binding: bytes) -> bytes:
    """The 64 bytes of report data that stand for `binding` (32 bytes): it, and a digest of it.

    Both halves depend on all that was bound, so that neither can be taken for something else. A
    platform that takes less, such as a TPM, binds the 32 bytes.
    """
    return binding + binding_digest(_REPORT_LABEL, binding)


def _malformed(detail: str) -> AttestationError:
    return AttestationError(ErrorCode.MALFORMED, Stage.ENCODING, detail)
