"""The platforms, and what each will report of an image."""

from typing import Final

from sonora_machine.measure.digests import ImageDigests
from sonora_machine.measure.eif import EnclaveImage
from sonora_machine.measure.firmware import FirmwareImage
from sonora_machine.measure.nitro import nitro_registers
from sonora_machine.measure.predictions import Prediction
from sonora_machine.measure.registers import replayed
from sonora_machine.measure.snp import launch_measurement
from sonora_machine.measure.tdx import mrtd, runtime_registers
from sonora_machine.measure.tpm import tpm_extensions
from sonora_machine.uki.unified import UnifiedImage

_HANDED: Final = "kernel, initramfs and command line handed over by QEMU"
_UNCOMPARED: Final = "not compared with hardware"


def of_tpm(image: UnifiedImage) -> Prediction:
    """What a TPM's registers 4, 9 and 11 will hold.

    Raises:
        ImageFormatError: it is not known how the image's stub measures.
    """
    found = replayed(tpm_extensions(ImageDigests.of(image)), algorithm="sha256")
    return Prediction(
        "tpm",
        {name: (found[name],) for name in ("pcr4", "pcr9", "pcr11")},
        (f"{image.stub}, started by firmware from a disk",),
        f"compared with a TPM in software (QEMU, OVMF, swtpm), {_UNCOMPARED}",
    )


def of_snp(image: UnifiedImage, firmware: bytes, *, vcpus: int, cpu: str) -> Prediction:
    """The launch measurement of an SEV-SNP machine.

    Raises:
        MachineError: the firmware is none that checks what it starts, or the extra is missing.
    """
    value = launch_measurement(
        FirmwareImage.parse(firmware),
        kernel=image.parts[".linux"],
        initramfs=image.parts[".initrd"],
        command_line=image.command_line,
        vcpus=vcpus,
        cpu=cpu,
    )
    processors = f"{vcpus} virtual processor{'s' * (vcpus != 1)} {cpu}"
    return Prediction(
        "sev-snp",
        {"measurement": (value,)},
        (f"{_HANDED} with kernel-hashes=on", processors, "this firmware"),
        _UNCOMPARED,
    )


def of_tdx(image: UnifiedImage, firmware: bytes) -> Prediction:
    """MRTD, RTMR 1 and RTMR 2 of a TDX machine.

    Raises:
        ImageFormatError: the firmware is none for TDX.
    """
    registers = runtime_registers(
        kernel=image.parts[".linux"],
        initramfs=image.parts[".initrd"],
        command_line=image.command_line,
    )
    return Prediction(
        "tdx",
        {"mrtd": (mrtd(FirmwareImage.parse(firmware)),), **registers},
        (f"{_HANDED}, of version 10 or newer", "this firmware"),
        f"the order of what is measured is that of a TDX machine's log, values {_UNCOMPARED}",
    )


def of_nitro(image: EnclaveImage) -> Prediction:
    """Registers 0 to 2 of an enclave."""
    registers = nitro_registers(
        kernel=image.kernel, command_line=image.command_line, ramdisks=image.ramdisks
    )
    return Prediction(
        "nitro",
        {name: (value,) for name, value in registers.items()},
        ("an enclave without --debug-mode, which reports zeros",),
        f"compared with AWS's builder of images, {_UNCOMPARED}",
    )
