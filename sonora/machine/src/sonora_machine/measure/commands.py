"""`sonora machine measure`: what each platform will report of an image, by the file alone."""

from pathlib import Path
from typing import Final

import click

from sonora_machine.measure.digests import ImageDigests
from sonora_machine.measure.predictions import Prediction, as_appraisal, as_policy, as_table
from sonora_machine.measure.registers import replayed
from sonora_machine.measure.tpm import tpm_extensions
from sonora_machine.uki.pe import MAX_IMAGE_BYTES
from sonora_machine.uki.unified import UnifiedImage
from veracruz_shells.console import emit, json_option, read_file

_FILE: Final = click.Path(path_type=Path, dir_okay=False)
_FORMS: Final = {"policy": as_policy, "appraisal": as_appraisal}


@click.command()
@click.argument("file", type=_FILE)
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
@json_option
def measure(file: Path, *, form: str | None, as_json: bool) -> None:
    """Say what each platform will report of the machine image FILE, without starting it.

    Of a unified kernel image: what a TPM's registers 4, 9 and 11 will hold when firmware starts it
    from a disk. Not register 0: there firmware measures itself as it lies in memory, which depends
    on the kind of processor and the size of the memory.
    """
    if form and as_json:
        raise click.UsageError("give one of --policy, --appraisal and --json")
    data = read_file(file, limit=MAX_IMAGE_BYTES, what="image")
    predictions = [_tpm(UnifiedImage.parse(data))]
    value = {"file": file, "platforms": {each.kind: each.facts() for each in predictions}}
    emit(value, _FORMS.get(form or "", as_table)(predictions), as_json=as_json)


def _tpm(image: UnifiedImage) -> Prediction:
    found = replayed(tpm_extensions(ImageDigests.of(image)), algorithm="sha256")
    return Prediction(
        "tpm",
        {name: found[name] for name in ("pcr4", "pcr9", "pcr11")},
        (f"{image.stub}, started by firmware from a disk",),
        "compared with a TPM in software (QEMU, OVMF, swtpm), not with hardware",
    )
