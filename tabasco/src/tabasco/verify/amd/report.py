"""The bytes of AMD SEV-SNP attestation reports, versions 2 to 5; little-endian throughout.

Parsing proves nothing. Standard: AMD 56860, "SEV Secure Nested Paging Firmware ABI", table
"ATTESTATION_REPORT" (1184 bytes, the first 672 signed), and "TCB_VERSION".
"""

from enum import Enum
from typing import Final, Self

from tabasco.verify.errors import EvidenceError, Fault, VerificationStage
from veracruz_utils.frozen import frozen

REPORT_BYTES: Final = 1184
SIGNED_BYTES: Final = 0x2A0
CHIP_ID_BYTES: Final = 64

_VERSIONS: Final = range(2, 6)
_MITIGATIONS_SINCE: Final = 5
_ECDSA_P384_SHA384: Final = 1
_NONE: Final = 7  # of the keys that sign
_FIELD: Final = 72  # of the signature's r and s; 48 are used
_USED: Final = 48


class Product(Enum):
    """Families of processors that differ in their roots; Genoa stands for Bergamo and Siena too."""

    MILAN = "milan"
    GENOA = "genoa"
    TURIN = "turin"


class SigningKey(Enum):
    """What signed a report: the chip's own key, or one lent to a cloud provider."""

    VCEK = 0
    VLEK = 1


@frozen
class SnpTcb:
    """Security versions of the firmware components; `fmc` is of Turin only, else 0."""

    boot_loader: int
    tee: int
    snp: int
    microcode: int
    fmc: int = 0

    @classmethod
    def from_bytes(cls, raw: bytes, product: Product) -> Self:
        """A TCB_VERSION, which is laid out otherwise since Turin."""
        if product is Product.TURIN:
            return cls(fmc=raw[0], boot_loader=raw[1], tee=raw[2], snp=raw[3], microcode=raw[7])
        return cls(boot_loader=raw[0], tee=raw[1], snp=raw[6], microcode=raw[7])

    def below(self, floor: "SnpTcb") -> tuple[str, ...]:
        """The components that are below `floor`, each on its own."""
        names = ("boot_loader", "tee", "snp", "microcode", "fmc")
        return tuple(name for name in names if getattr(self, name) < getattr(floor, name))

    def __str__(self) -> str:
        return (
            f"boot_loader {self.boot_loader}, tee {self.tee}, snp {self.snp}, "
            f"microcode {self.microcode}, fmc {self.fmc}"
        )


@frozen
class SnpReport:
    """A report taken apart.

    Attributes:
        product: by the processor's family and model; None before version 3.
        chip_id: zeros where the host masks it, as it may (MASK_CHIP_ID).
        launch_mitigations, current_mitigations: bits of AMD's bulletins that the firmware is proof
            against, when the guest was launched and now; None before version 5.
        signed: the bytes that the signature is over.
        r, s: the signature's numbers.
    """

    version: int
    guest_svn: int
    policy: int
    family_id: bytes
    image_id: bytes
    vmpl: int
    signing_key: SigningKey
    current_tcb: bytes
    reported_tcb: bytes
    committed_tcb: bytes
    launch_tcb: bytes
    platform_info: int
    author_key: bool
    report_data: bytes
    measurement: bytes
    host_data: bytes
    id_key_digest: bytes
    author_key_digest: bytes
    report_id: bytes
    report_id_ma: bytes
    product: Product | None
    chip_id: bytes
    launch_mitigations: int | None
    current_mitigations: int | None
    signed: bytes
    r: int
    s: int


def parse_report(data: bytes) -> SnpReport:
    """The fields of a report.

    Raises:
        EvidenceError: stage `format`.
    """
    if len(data) != REPORT_BYTES:
        fault = Fault.MALFORMED if len(data) < REPORT_BYTES else Fault.TRAILING_BYTES
        raise EvidenceError(
            fault,
            VerificationStage.FORMAT,
            f"the report has {len(data)} bytes, it should have {REPORT_BYTES}",
        )

    def number(offset: int, size: int) -> int:
        return int.from_bytes(data[offset : offset + size], "little")

    version = number(0, 4)
    if version not in _VERSIONS:
        raise EvidenceError(
            Fault.UNSUPPORTED_VERSION,
            VerificationStage.FORMAT,
            f"report version {version}, known are 2 to 5",
        )
    if number(0x34, 4) != _ECDSA_P384_SHA384:
        raise EvidenceError(
            Fault.UNSUPPORTED_ALGORITHM,
            VerificationStage.FORMAT,
            f"signature algorithm {number(0x34, 4)}",
        )
    # Bit 0: an author key is given; bits 2 to 4: which key signed (56860).
    keys = number(0x48, 4)
    r, s = _signature(data[SIGNED_BYTES:])
    return SnpReport(
        version=version,
        guest_svn=number(4, 4),
        policy=number(8, 8),
        family_id=data[0x10:0x20],
        image_id=data[0x20:0x30],
        vmpl=number(0x30, 4),
        signing_key=_signing_key(keys),
        current_tcb=data[0x38:0x40],
        reported_tcb=data[0x180:0x188],
        committed_tcb=data[0x1E0:0x1E8],
        launch_tcb=data[0x1F0:0x1F8],
        platform_info=number(0x40, 8),
        author_key=bool(keys & 1),
        report_data=data[0x50:0x90],
        measurement=data[0x90:0xC0],
        host_data=data[0xC0:0xE0],
        id_key_digest=data[0xE0:0x110],
        author_key_digest=data[0x110:0x140],
        report_id=data[0x140:0x160],
        report_id_ma=data[0x160:0x180],
        product=_product(data[0x188], data[0x189]) if version > 2 else None,
        chip_id=data[0x1A0:0x1E0],
        launch_mitigations=number(0x1F8, 8) if version >= _MITIGATIONS_SINCE else None,
        current_mitigations=number(0x200, 8) if version >= _MITIGATIONS_SINCE else None,
        signed=data[:SIGNED_BYTES],
        r=r,
        s=s,
    )


def _signing_key(keys: int) -> SigningKey:
    kind = keys >> 2 & 7
    # A host that keeps chips' keys back (bit 1) may have reports signed by its VLEK all the same.
    if kind == _NONE or (keys & 2 and kind == SigningKey.VCEK.value):
        raise EvidenceError(
            Fault.UNSIGNED, VerificationStage.FORMAT, "the host has the firmware sign no reports"
        )
    if kind not in {each.value for each in SigningKey}:
        raise EvidenceError(
            Fault.UNSUPPORTED_ALGORITHM,
            VerificationStage.FORMAT,
            f"signing key {kind}, known are VCEK and VLEK",
        )
    return SigningKey(kind)


def _signature(data: bytes) -> tuple[int, int]:
    r, s, rest = data[:_FIELD], data[_FIELD : 2 * _FIELD], data[2 * _FIELD :]
    # These bytes are not signed, so they must not be open to change.
    if any(r[_USED:]) or any(s[_USED:]) or any(rest):
        raise EvidenceError(
            Fault.MALFORMED, VerificationStage.FORMAT, "bytes around the signature are not zero"
        )
    return int.from_bytes(r[:_USED], "little"), int.from_bytes(s[:_USED], "little")


def _product(family: int, model: int) -> Product:
    # CPUID's combined family and model, which reports carry since version 3.
    if family == 0x19 and model < 0x10:
        return Product.MILAN
    if family == 0x19 and (0x10 <= model < 0x20 or 0xA0 <= model < 0xB0):
        return Product.GENOA
    if family == 0x1A and model < 0x20:
        return Product.TURIN
    raise EvidenceError(
        Fault.UNSUPPORTED_VERSION,
        VerificationStage.FORMAT,
        f"a processor of family {family:#x}, model {model:#x}, is not known",
    )
