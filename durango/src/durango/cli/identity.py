"""`durango identity`: make certificates, look at them."""

import unicodedata
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from durango._words import printable, timestamp
from durango.cli.options import FILE, force_option, key_password_option, password_from
from durango.errors import PasswordError
from durango.identity import MAX_PEM_BYTES, Identity, Password, load_certificate
from veracruz_shells.console import emit, json_option, subgroup
from veracruz_shells.files import NewFile, read_file, write_new_files
from veracruz_utils.digest import Digest
from veracruz_utils.file_names import file_name_of
from veracruz_utils.frozen import frozen


@subgroup("identity", help="Make and show a principal's certificate.")
def identity() -> None:
    """The group."""


@identity.command("new")
@click.option(
    "--name",
    required=True,
    help="Who you are, as in 'Klinikum Süd': letters, digits, spaces and . _ - & ' ( ).",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=Path(),
    show_default="here",
    help="A folder for NAME.cert.pem and NAME.key.pem, or a path without the ending .cert.pem.",
)
@click.option(
    "--days",
    type=click.IntRange(1, 36500),
    default=365,
    show_default=True,
    help="How long the certificate is valid.",
)
@click.option("--encrypt", is_flag=True, help="Encrypt the key under a password.")
@key_password_option
@force_option
@json_option
def new(
    *,
    name: str,
    output: Path,
    days: int,
    encrypt: bool,
    key_password: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Make a key (mode 0600) and a certificate for it.

    The certificate is public: give it to whoever writes the policy. The key is not: it stays here.
    """
    made = Identity.create(name, not_before=datetime.now(UTC), lifetime=timedelta(days=days))
    terms = _KeyTerms(encrypt, key_password)
    _write(made, name, output, terms, force=force, as_json=as_json)


@identity.command("import")
@click.argument("file", type=FILE)
@click.option("--name", required=True, help="What the files are to be called.")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=Path(),
    show_default="here",
    help="A folder for NAME.cert.pem and NAME.key.pem, or a path without the ending .cert.pem.",
)
@click.option(
    "--password", type=FILE, help="A file whose first line is FILE's.  [default: it is asked for]"
)
@click.option("--encrypt", is_flag=True, help="Encrypt the key under a password.")
@key_password_option
@force_option
@json_option
def import_(
    *,
    file: Path,
    name: str,
    output: Path,
    password: Path | None,
    encrypt: bool,
    key_password: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Take key and certificate out of FILE, in PKCS#12 (.p12, .pfx)."""
    data = read_file(file, limit=MAX_PEM_BYTES, what="PKCS#12 file")
    found = _unpacked(data, file, password_from(password, option="--password"))
    terms = _KeyTerms(encrypt, key_password)
    _write(found, name, output, terms, force=force, as_json=as_json)


def _unpacked(data: bytes, file: Path, password: Password) -> Identity:
    """The identity in a PKCS#12 file; its password is asked for where it has one."""
    try:
        return Identity.from_pkcs12(data, password=None, name=str(file))
    except PasswordError:
        return Identity.from_pkcs12(data, password=password(str(file)) or None, name=str(file))


@frozen
class _KeyTerms:
    """Whether a key is encrypted on the disk, and the file with the password if there is one."""

    encrypt: bool
    password: Path | None


def _write(
    made: Identity, name: str, output: Path, terms: _KeyTerms, *, force: bool, as_json: bool
) -> None:
    """Write both files, and say the fingerprint that others compare."""
    if not name or Path(name).name != name:
        raise click.UsageError(f"{name[:80]!r} is no name for files: --output says where they go")
    file_name = file_name_of(unicodedata.normalize("NFC", name))
    prefix = output / file_name if output.is_dir() else output
    certificate = prefix.with_name(f"{prefix.name}.cert.pem")
    key = prefix.with_name(f"{prefix.name}.key.pem")
    password = password_from(terms.password, new=True)(str(key)) if terms.encrypt else None
    # Both or none: a key without its certificate would be in the way of another try.
    write_new_files(
        NewFile(key, made.key_pem(password), 0o600),
        NewFile(certificate, made.certificate_pem(), 0o644),
        force=force,
    )
    emit(
        {"certificate": certificate, "key": key, "certificate_digest": made.digest},
        f"certificate {certificate}\nfingerprint {made.digest}: tell it to the others by another "
        f"way than the certificate\nkey         {key}: keep it to yourself",
        as_json=as_json,
    )


@identity.command("show")
@click.argument("certificate", type=FILE)
@json_option
def show(*, certificate: Path, as_json: bool) -> None:
    """Show whose CERTIFICATE it is, and until when."""
    found = load_certificate(certificate)
    facts = {
        "certificate_digest": str(Digest.of(found.public_bytes(Encoding.DER))),
        "subject": found.subject.rfc4514_string(),
        "key": _kind(found),
        "valid_from": timestamp(found.not_valid_before_utc),
        "valid_until": timestamp(found.not_valid_after_utc),
        "valid_now": found.not_valid_before_utc <= datetime.now(UTC) <= found.not_valid_after_utc,
    }
    state = "" if facts["valid_now"] else ", NOT valid now"
    text = (
        f"certificate {facts['certificate_digest']}\n"
        f"subject     {printable(found.subject.rfc4514_string())}\n"
        f"key         {facts['key']}\n"
        f"valid       {facts['valid_from']} to {facts['valid_until']}{state}"
    )
    emit(facts, text, as_json=as_json)


def _kind(certificate: x509.Certificate) -> str:
    match certificate.public_key():
        case ec.EllipticCurvePublicKey() as key:
            return f"ECDSA {key.curve.name}"
        case rsa.RSAPublicKey() as key:
            return f"RSA {key.key_size}"
        case _:
            return "Ed25519"
