"""`sonora machine measure`: what each platform will report of an image, by the file alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import click

from sonora.image.signing import read_release_key
from sonora_machine.errors import ImageFormatError
from sonora_machine.measure.corim import sign_reference_values
from sonora_machine.measure.digests import ImageDigests
from sonora_machine.measure.eif import EIF_MAGIC, EnclaveImage
from sonora_machine.measure.expected_log import expected_log
from sonora_machine.measure.firmware import MAX_FIRMWARE_BYTES
from sonora_machine.measure.platforms import of_nitro, of_snp, of_tdx, of_tpm
from sonora_machine.measure.predictions import Prediction, as_appraisal, as_policy, as_table
from sonora_machine.measure.snp import MAX_VCPUS
from sonora_machine.measure.tpm import tpm_extensions
from sonora_machine.uki.pe import MAX_IMAGE_BYTES
from sonora_machine.uki.unified import UnifiedImage
from veracruz_shells.console import emit, json_option, note, read_file, write_new_file
from veracruz_utils.frozen import frozen

_FILE: Final = click.Path(path_type=Path, dir_okay=False)
_FORMS: Final = {"policy": as_policy, "appraisal": as_appraisal}
_MAX_LABEL_CHARS: Final = 120


@frozen
class _Confidential:
    """Which confidential machines an image is measured for besides."""

    snp_firmware: Path | None
    vcpus: int | None
    cpu: str | None
    tdx_firmware: Path | None

    def check(self) -> None:
        """Refuse what does not go together."""
        given = [self.vcpus is not None, self.cpu is not None]
        if self.snp_firmware is not None and not all(given):
            raise click.UsageError("--snp-firmware needs --vcpus and --cpu: both are measured")
        if self.snp_firmware is None and any(given):
            raise click.UsageError("--vcpus and --cpu are for --snp-firmware")


@frozen
class _Bundle:
    """The file of reference values that is wanted."""

    path: Path | None
    key: Path | None
    label: str | None
    signer: str | None
    days: int
    force: bool

    def check(self) -> None:
        """Refuse what does not go together, or nobody would read."""
        named = {"--key": self.key, "--label": self.label, "--signer": self.signer}
        given = [name for name, value in named.items() if value is not None]
        if self.path is None and given:
            raise click.UsageError(f"{' and '.join(given)} is for --corim")
        if self.path is not None and len(given) < len(named):
            missing = [name for name in named if name not in given]
            raise click.UsageError(f"--corim needs {' and '.join(missing)}")
        for text in (self.label, self.signer):
            if text is not None and not (text.isprintable() and 0 < len(text) <= _MAX_LABEL_CHARS):
                raise click.UsageError(
                    f"{text[:40]!r} is not one line of 1 to {_MAX_LABEL_CHARS} characters"
                )

    def write(self, predictions: list[Prediction]) -> None:
        """Sign and write it, if it is wanted."""
        if self.path is None or self.key is None or self.label is None or self.signer is None:
            return
        signed = sign_reference_values(
            predictions,
            read_release_key(self.key),
            label=self.label,
            signer=self.signer,
            at=datetime.now(UTC),
            lifetime=timedelta(days=self.days),
        )
        write_new_file(self.path, signed, mode=0o644, force=self.force)
        note(f"reference values in {self.path}: tabasco reference-values import takes them")


@click.command()
@click.argument("file", type=_FILE)
@click.option(
    "--snp-firmware",
    type=_FILE,
    help="Say what an SEV-SNP machine with this firmware reports too; with --vcpus and --cpu.",
)
@click.option(
    "--vcpus",
    type=click.IntRange(1, MAX_VCPUS),
    help="How many virtual processors the SEV-SNP machine has.",
)
@click.option("--cpu", help="Their kind, as QEMU calls it, such as EPYC-v4.")
@click.option(
    "--tdx-firmware", type=_FILE, help="Say what a TDX machine with this firmware reports too."
)
@click.option(
    "--policy",
    "form",
    flag_value="policy",
    help="Print lines of a policy of principals, that `durango policy new --machine` reads.",
)
@click.option(
    "--appraisal",
    "form",
    flag_value="appraisal",
    help="Print lines of Tabasco's appraisal policy.",
)
@click.option(
    "--event-log",
    type=_FILE,
    help="Write what a TPM's log will have of the image to this file, to compare a machine's log "
    "with: tabasco event-log LOG --against FILE.",
)
@click.option(
    "--corim",
    type=_FILE,
    help="Write them to this file too, signed, as reference values that Tabasco imports.",
)
@click.option(
    "--key",
    type=_FILE,
    help="The private key that signs them (PEM, on P-256, without a passphrase).",
)
@click.option("--label", help="What the values are of, for people, such as 'machine 0.1.0'.")
@click.option("--signer", help="How you who sign them are called, for people.")
@click.option(
    "--days",
    type=click.IntRange(1, 3650),
    default=730,
    show_default=True,
    help="For how long they may be relied on.",
)
@click.option("--force", is_flag=True, help="Overwrite existing files.")
@json_option
def measure(
    file: Path,
    *,
    snp_firmware: Path | None,
    vcpus: int | None,
    cpu: str | None,
    tdx_firmware: Path | None,
    form: str | None,
    event_log: Path | None,
    corim: Path | None,
    key: Path | None,
    label: str | None,
    signer: str | None,
    days: int,
    force: bool,
    as_json: bool,
) -> None:
    """Say what each platform will report of the machine image FILE, without starting it.

    Of a unified kernel image: what a TPM's registers 4, 9 and 11 will hold when firmware starts it
    from a disk; and with a firmware, what an SEV-SNP or TDX machine reports that QEMU starts with
    the kernel, initramfs and command line in it. Of an enclave image (EIF): registers 0 to 2 of
    AWS Nitro.

    Not a TPM's register 0: there firmware measures itself as it lies in memory, which depends on
    the kind of processor and the size of the memory. Not RTMR 0 of TDX: it is of the memory and the
    devices that QEMU tells the firmware of.
    """
    if form and as_json:
        raise click.UsageError("give one of --policy, --appraisal and --json")
    machines = _Confidential(snp_firmware, vcpus, cpu, tdx_firmware)
    machines.check()
    bundle = _Bundle(corim, key, label, signer, days, force)
    bundle.check()
    data = read_file(file, limit=MAX_IMAGE_BYTES, what="image")
    predictions = list(_predictions(file, data, machines))
    if event_log is not None:
        if data.startswith(EIF_MAGIC):
            raise click.UsageError(f"{file} is an enclave image, which has no TPM")
        extendings = tpm_extensions(ImageDigests.of(UnifiedImage.parse(data)))
        write_new_file(event_log, expected_log(extendings), mode=0o644, force=force)
    bundle.write(predictions)
    value = {
        "file": file,
        "corim": corim,
        "event_log": event_log,
        "platforms": {each.kind: each.facts() for each in predictions},
    }
    emit(value, _FORMS.get(form or "", as_table)(predictions), as_json=as_json)


def _predictions(file: Path, data: bytes, machines: _Confidential) -> Iterator[Prediction]:
    if data.startswith(EIF_MAGIC):
        if machines.snp_firmware is not None or machines.tdx_firmware is not None:
            raise click.UsageError(f"{file} is an enclave image, which has no firmware of its own")
        with _naming(file, "give the image as its builder made it, whole"):
            yield of_nitro(EnclaveImage.parse(data))
        return
    with _naming(file, "give the image that `sonora machine build` made, whole"):
        image = UnifiedImage.parse(data)
        yield of_tpm(image)
    if machines.snp_firmware is not None:
        with _naming(machines.snp_firmware, "OVMF.amdsev.fd is firmware that will do"):
            firmware = _firmware(machines.snp_firmware)
            yield of_snp(image, firmware, vcpus=machines.vcpus or 1, cpu=machines.cpu or "")
    if machines.tdx_firmware is not None:
        with _naming(machines.tdx_firmware, "OVMF.inteltdx.ms.fd is firmware that will do"):
            yield of_tdx(image, _firmware(machines.tdx_firmware))


@contextmanager
def _naming(path: Path, remedy: str) -> Iterator[None]:
    """Say of which file it is that it is of another form, and what would be of the right one."""
    try:
        yield
    except ImageFormatError as error:
        raise ImageFormatError(f"{path}: {error}; {remedy}") from None


def _firmware(path: Path) -> bytes:
    return read_file(path, limit=MAX_FIRMWARE_BYTES, what="firmware")
