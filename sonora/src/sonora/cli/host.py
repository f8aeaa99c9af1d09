"""`sonora init`, `measure` and `doctor`: what this machine has, before anybody is served."""

from pathlib import Path
from typing import Final

import click

from sonora.cli.options import image_option, state_option
from sonora.doctor import diagnose
from sonora.evidence.software import SOFTWARE_WARNING, SoftwareRoot
from sonora.evidence.tpm.options import tpm_options
from sonora.evidence.tpm.source import TpmSettings
from sonora.image.source import find_image
from veracruz_image import verify_image
from veracruz_shells.console import emit, json_option, note, read_file
from veracruz_utils.digest import Digest
from veracruz_utils.key_files import p256_key_of_pem
from veracruz_utils.policy import LINUX_SOFTWARE
from veracruz_utils.public_keys import der_of

_MAX_KEY_BYTES: Final = 4096


@click.command()
@state_option
@json_option
def init(state: Path, *, as_json: bool) -> None:
    """Make the key of a software root of trust.

    Give the file with its public half to Tabasco's operator, who registers it
    (`tabasco root add`, or `tabasco serve --trust-root`).
    """
    public_key = SoftwareRoot.create(state)
    key = p256_key_of_pem(read_file(public_key, limit=_MAX_KEY_BYTES, what="public key"))
    fingerprint = Digest.of(der_of(key))
    facts = {"public_key": public_key, "platform": LINUX_SOFTWARE, "fingerprint": fingerprint}
    emit(facts, str(public_key), as_json=as_json)
    note(
        f"fingerprint {fingerprint}: tell it to Tabasco's operator by another way than the file; "
        "`tabasco root add` says it again"
    )
    note(SOFTWARE_WARNING)


@click.command()
@image_option
@json_option
def measure(image_path: Path | None, *, as_json: bool) -> None:
    """Print the measurement of the runtime image, which policies pin.

    It is the digest of the image's manifest, which names every file that an isolate can load. The
    image is held against its manifest first.
    """
    measurement = verify_image(find_image(image_path).folder).measurement
    value = {"platform": LINUX_SOFTWARE, "measurement": measurement}
    emit(value, str(measurement), as_json=as_json)


@click.command()
@image_option
@tpm_options
@json_option
@click.pass_context
def doctor(
    context: click.Context, *, image_path: Path | None, tpm: TpmSettings, as_json: bool
) -> None:
    """Say which layers of isolation this host gives, and what else Sonora needs.

    Each thing is tried, in a process that ends with the attempt. Exit status 1 if something is
    missing that policies with the default terms require.
    """
    diagnosis = diagnose(image_path, tpm)
    emit(diagnosis.as_json(), diagnosis.as_text(), as_json=as_json)
    context.exit(0 if diagnosis.complete else 1)
