"""What `sonora machine measure` reads of strangers, for those that try changed bytes on it."""

from pathlib import Path

from sonora_machine.errors import ImageFormatError
from sonora_machine.measure.digests import ImageDigests
from sonora_machine.measure.eif import EnclaveImage
from sonora_machine.measure.firmware import FirmwareImage
from sonora_machine.measure.snp import launch_measurement
from sonora_machine.measure.tdx import mrtd
from sonora_machine.uki import UnifiedImage, write_uki
from support.firmware_files import made_firmware
from support.pe_files import made_pe, stub_of

VECTORS = Path(__file__).parents[1] / "vectors" / "machine"


def unified(data: bytes) -> object:
    """Take it apart and compute what a TPM needs."""
    return ImageDigests.of(UnifiedImage.parse(data))


def unified_seeds() -> tuple[bytes, ...]:
    """Images with stubs of either kind."""
    parts = {
        ".osrel": b"ID=veracruz\n",
        ".cmdline": b"quiet",
        ".linux": made_pe({".text": b"kernel"}),
        ".initrd": b"initramfs",
    }
    return tuple(write_uki(stub_of(generation), parts) for generation in (252, 257))


def for_tdx(data: bytes) -> object:
    """Measure it for TDX."""
    return mrtd(FirmwareImage.parse(data))


def for_snp(data: bytes) -> object:
    """Measure it for SEV-SNP."""
    return launch_measurement(
        FirmwareImage.parse(data), kernel=b"", initramfs=b"", command_line="", vcpus=1, cpu="EPYC"
    )


READ = (
    ("unified-kernel-image", unified, unified_seeds()),
    ("firmware-for-tdx", for_tdx, (made_firmware(),)),
    ("firmware-for-snp", for_snp, ((VECTORS / "ovmf_AmdSev_suffix.bin").read_bytes(),)),
    (
        "enclave-image",
        EnclaveImage.parse,
        tuple(path.read_bytes() for path in sorted(VECTORS.glob("*.eif"))),
    ),
)
"""Name, reader, and files that it reads; it refuses others with `ImageFormatError`."""
ERROR = ImageFormatError
