"""The commands `tabasco revoke ...`: what is believed no more, also of who is enrolled by it."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import click
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)

from tabasco.cli.options import (
    current_time,
    database_option,
    format_time,
    in_hex,
    open_database,
    state_option,
)
from tabasco.errors import TabascoError
from tabasco.registry.revocations import Revocation, Revocations
from tabasco.registry.state import StateDirectory
from tabasco.verify.errors import EvidenceError
from tabasco.verify.named import Subject
from tabasco.verify.x509.certificates import MAX_CERTIFICATE_BYTES, pem_blocks
from veracruz_shells.console import emit, json_option, read_file, subgroup

_FILE = click.Path(path_type=Path, dir_okay=False, allow_dash=True)
_MAX_BYTES = 2 * MAX_CERTIFICATE_BYTES
_digest_option = click.option("--digest", metavar="HEX", help="SHA-256 of its DER, instead of it.")


@subgroup("revoke")
def revoke() -> None:
    """Believe a measurement, key, certificate or instance no more, for ever.

    Evidence that rests on it is refused from then on, and so is whoever is enrolled by such.
    """


def _revoke(
    subject: Subject,
    value: bytes,
    reason: str,
    state: StateDirectory,
    database: str | None,
    *,
    as_json: bool,
) -> None:
    with open_database(state, database, create=True) as found:
        done = Revocations(found).add(subject, value, reason, at=current_time())
    text = f"{subject} {value.hex()[:12]} is revoked"
    if done.enrolments:
        text += f", and with it {done.enrolments} that are enrolled"
    emit({subject.value: value, "enrolments": done.enrolments}, text, as_json=as_json)


@revoke.command("measurement")
@click.argument("value", metavar="HEX")
@click.option("--reason", default="", help="Free-text reason.")
@state_option
@database_option
@json_option
def revoke_measurement(
    value: str, reason: str, state: StateDirectory, database: str | None, *, as_json: bool
) -> None:
    """Revoke measurement HEX, of runtimes and of root attesters.

    Any of those that evidence shows, such as a PCR, an RTMR or an mrsigner.
    """
    _revoke(Subject.MEASUREMENT, in_hex(value), reason, state, database, as_json=as_json)


@revoke.command("key")
@click.argument("file", type=_FILE, required=False)
@_digest_option
@click.option("--reason", default="", help="Free-text reason.")
@state_option
@database_option
@json_option
def revoke_key(
    *,
    file: Path | None,
    digest: str | None,
    reason: str,
    state: StateDirectory,
    database: str | None,
    as_json: bool,
) -> None:
    """Revoke the public key in FILE (PEM): it neither enrols nor vouches for anything any more.

    Such as an enrolled key, a TPM's attestation key or that of a certificate. A root with this key
    is removed; what a provider with it said is forgotten.
    """
    value = _digest_of(file, digest, _key_digest)
    _revoke(Subject.KEY, value, reason, state, database, as_json=as_json)


@revoke.command("certificate")
@click.argument("file", type=_FILE, required=False)
@_digest_option
@click.option("--reason", default="", help="Free-text reason.")
@state_option
@database_option
@json_option
def revoke_certificate(
    *,
    file: Path | None,
    digest: str | None,
    reason: str,
    state: StateDirectory,
    database: str | None,
    as_json: bool,
) -> None:
    """Revoke the certificate in FILE (PEM or DER), and so every chain that it is in."""
    value = _digest_of(file, digest, _certificate_digest)
    _revoke(Subject.CERTIFICATE, value, reason, state, database, as_json=as_json)


@revoke.command("instance")
@click.argument("value", metavar="HEX")
@click.option("--reason", default="", help="Free-text reason.")
@state_option
@database_option
@json_option
def revoke_instance(
    value: str, reason: str, state: StateDirectory, database: str | None, *, as_json: bool
) -> None:
    """Revoke instance HEX: one that enrolled, or a platform by the id that its evidence shows.

    The instance id of PSA and CCA, the chip id of SEV-SNP, the PPID of SGX and TDX, the UEID of an
    NVIDIA device.
    """
    _revoke(Subject.INSTANCE, in_hex(value), reason, state, database, as_json=as_json)


@revoke.command("list")
@state_option
@database_option
@json_option
def revoke_list(state: StateDirectory, database: str | None, *, as_json: bool) -> None:
    """List all that is revoked."""
    with open_database(state, database) as found:
        every = Revocations(found).all()
    text = "\n".join(_line(each) for each in every) or "nothing is revoked"
    fields = [
        {
            "subject": each.subject.value,
            "value": each.value,
            "reason": each.reason,
            "revoked_at": each.revoked_at,
        }
        for each in every
    ]
    emit({"revocations": fields}, text, as_json=as_json)


def _line(found: Revocation) -> str:
    time = format_time(found.revoked_at)
    return f"{found.subject:<12} {found.value.hex()}  {time}  {found.reason}".rstrip()


def _digest_of(file: Path | None, digest: str | None, of: Callable[[Path], bytes]) -> bytes:
    if (file is None) == (digest is None):
        raise click.UsageError("give FILE or --digest")
    if file is not None:
        return of(file)
    assert digest is not None
    return in_hex(digest)


def _key_digest(file: Path) -> bytes:
    data = read_file(file, limit=_MAX_BYTES, what="public key")
    try:
        key = load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise TabascoError(f"public key {file} is not a public key in PEM") from error
    encoded = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(encoded).digest()


def _certificate_digest(file: Path) -> bytes:
    data = read_file(file, limit=_MAX_BYTES, what="certificate")
    if data.lstrip().startswith(b"-----BEGIN"):
        try:
            blocks = pem_blocks(data.strip() + b"\n")
        except EvidenceError as error:
            raise TabascoError(f"certificate {file}: {error.detail}") from error
        if len(blocks) != 1:
            raise TabascoError(f"{file} has {len(blocks)} certificates: give the one to revoke")
        data = blocks[0]
    if not data.startswith(b"\x30"):
        raise TabascoError(f"{file} is not a certificate in PEM or DER")
    return hashlib.sha256(data).digest()
