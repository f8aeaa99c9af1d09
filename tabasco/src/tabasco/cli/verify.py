"""The command `tabasco verify`: any evidence that we verify, offline, for a given time."""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from psa_attestation.cose.verification import MacKey
from tabasco.appraisal import inspection
from tabasco.appraisal.checks import Acceptance
from tabasco.appraisal.known_names import unknown_concerns
from tabasco.appraisal.policy import MAX_POLICY_BYTES, AppraisalPolicy, References
from tabasco.cli.collateral import source
from tabasco.cli.evidence_page import evidence_page
from tabasco.cli.options import (
    TIME,
    current_time,
    database_option,
    open_database,
    state_option,
    store_option,
)
from tabasco.cli.signers import keys_in
from tabasco.errors import TabascoError
from tabasco.registry.database import Database
from tabasco.registry.reference_values import ReferenceValues
from tabasco.registry.revocations import Revocations
from tabasco.registry.state import StateDirectory
from tabasco.verify.detection import plain
from tabasco.verify.errors import EvidenceError
from tabasco.verify.eventlog.log import MAX_LOG_BYTES
from tabasco.verify.intel.collateral import MAX_COLLATERAL_BYTES, Collateral
from tabasco.verify.kinds import MAX_EVIDENCE_BYTES, EvidenceKind
from tabasco.verify.means import Means
from tabasco.verify.proven import TcbStatus
from tabasco.verify.tpm.structures import MAX_SIGNATURE_BYTES
from tabasco.verify.tpm.tpm2_tools import MAX_REGISTERS_BYTES, document_of
from tabasco.verify.x509 import certificates
from tabasco.verify.xml.tree import MAX_XML_BYTES
from veracruz_shells.console import emit, json_option, note, read_file, write_new_file
from veracruz_shells.files import refuse_existing
from veracruz_utils.secret import Secret

_MAX_CERTIFICATES_BYTES: Final = 64 * 1024
_MAX_NONCE_BYTES: Final = 512
_F = TypeVar("_F", bound=Callable[..., Any])
_FILE: Final = click.Path(path_type=Path, dir_okay=False)


class _Bytes(click.ParamType[bytes]):
    name = "hex"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> bytes:
        if isinstance(value, bytes):
            return value
        try:
            found = bytes.fromhex(str(value).removeprefix("0x"))
        except ValueError:
            self.fail(f"{str(value)[:40]!r} is not hexadecimal", param, ctx)
        if len(found) > _MAX_NONCE_BYTES:
            self.fail(f"{len(found)} bytes, at most {_MAX_NONCE_BYTES} are read", param, ctx)
        return found


def _means_options(command: _F) -> _F:
    for option in reversed(
        [
            click.option("--collateral", type=_FILE, metavar="FILE.json",
                         help="Intel's collateral, for SGX and TDX."),
            click.option("--certificate", type=_FILE, metavar="FILE",
                         help="The VCEK or VLEK of SEV-SNP, or the certificate of a TPM's "
                         "attestation key: PEM (those above it may follow), DER, or JSON of "
                         "Azure's THIM."),
            click.option("--authorities", type=_FILE, multiple=True, metavar="FILE",
                         help="The certificates above it (PEM or DER); all of a device's, for "
                         "NVIDIA. Repeatable."),
            click.option("--crl", type=_FILE, metavar="FILE.der",
                         help="The list of revoked certificates."),
            click.option("--root", "roots", type=_FILE, multiple=True, metavar="FILE",
                         help="A root certificate (PEM or DER) to trust: for TPMs' keys, where "
                         "none is built in, and in place of the vendor's for SGX, TDX, Nitro, "
                         "NVIDIA and Confidential Space. Repeatable."),
            click.option("--rim", "manifests", type=_FILE, multiple=True, metavar="FILE.xml",
                         help="NVIDIA's reference values of a driver or a firmware. Repeatable."),
            click.option("--quote", "quotes", type=_FILE, multiple=True, metavar="FILE",
                         help="A quote that belongs to a paravisor's report of Azure: of its "
                         "virtual TPM, of its TD. Repeatable."),
            click.option("--quote-signature", type=_FILE, metavar="FILE",
                         help="The signature of a TPM's quote whose message FILE is, as "
                         "tpm2_quote -s writes it; with --quote-registers."),
            click.option("--quote-registers", type=_FILE, metavar="FILE",
                         help="The registers that it is over, as tpm2_quote -o writes them, or in "
                         "JSON by their numbers."),
            click.option("--event-log", type=_FILE, metavar="FILE",
                         help="Event log (TCG or CCEL) that has to replay to the registers."),
            click.option("--key", "keys", multiple=True, metavar="[ID=]FILE",
                         help="A key that may have signed: PEM, DER, JWK, JWK set or "
                         "certificate; for instance or key id ID, or any. All are tried. For PSA "
                         "and CCA tokens, results, bundles, quotes of TPMs, tokens of services. "
                         "Repeatable."),
            click.option("--mac-key", type=_FILE, metavar="FILE",
                         help="The secret of a COSE_Mac0 token, as raw bytes."),
            click.option("--nonce", type=_Bytes(), metavar="HEX",
                         help="Nonce that the evidence has to answer."),
            click.option("--nonce-text", metavar="TEXT",
                         help="The same as text, as tokens of services have it."),
            click.option("--audience", help="Audience of a Confidential Space token."),
            click.option("--max-age", type=click.IntRange(1, 24 * 60), default=5, metavar="MINUTES",
                         show_default=True, help="Age of a Nitro document that answers no nonce."),
        ]
    ):  # fmt: skip
        command = option(command)
    return command


def _acceptance_options(command: _F) -> _F:
    for option in reversed(
        [
            click.option("--policy", type=_FILE, metavar="FILE.toml",
                         help="Appraisal policy; without one, evidence is accepted that is up to "
                         "date, not debuggable and raises no concern, whatever it measures."),
            click.option("--report-data", type=_Bytes(), metavar="HEX",
                         help="Expected report data; zeros are appended up to 64 bytes."),
            click.option("--accept-status", "statuses", multiple=True,
                         type=click.Choice([each.value for each in TcbStatus]),
                         help="TCB status to accept besides UpToDate. Repeatable."),
            click.option("--accept-advisory", "advisories", multiple=True,
                         help="Advisory that may apply; by default any may. Repeatable."),
            click.option("--accept-concern", "concerns", multiple=True,
                         help="Concern to accept, by its name. Repeatable."),
            click.option("--accept-debug", "debug", is_flag=True,
                         help="Accept debuggable attesters, for development."),
        ]
    ):  # fmt: skip
        command = option(command)
    return command


@click.command("verify")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True))
@click.option("--kind", type=click.Choice([each.value for each in EvidenceKind]),
              help="Evidence kind; detected by default.")  # fmt: skip
@click.option("--at", type=TIME, metavar="TIME", show_default="now",
              help="Time to verify for, such as 2026-02-25T12:00:00Z.")  # fmt: skip
@_means_options
@store_option
@_acceptance_options
@state_option
@database_option
@click.option("--html", type=_FILE, metavar="FILE.html",
              help="Write the report as a page of one file, too.")  # fmt: skip
@click.option("--force", is_flag=True, help="Overwrite that file if it exists.")
@json_option
@click.pass_context
def verify(
    context: click.Context,
    /,
    *,
    file: Path,
    kind: str | None,
    at: datetime | None,
    state: StateDirectory,
    database: str | None,
    html: Path | None,
    force: bool,
    as_json: bool,
    **options: Any,  # noqa: ANN401 - the options above
) -> None:
    """Verify the evidence in FILE (- for stdin), offline: nothing is fetched.

    Evidence may be raw, hexadecimal or base64. What is revoked is refused, and reference values
    are known, by the database of --state or --database; the report says where there is none. Exit
    status: 0 accepted, 3 refused (the report says whether it is authentic; without collateral or a
    key that cannot be established), 2 wrong usage.

    \b
      tabasco verify quote.bin --collateral platform.json --at 2025-06-25
      tabasco collateral import platform.json && tabasco verify quote.bin
      tabasco verify report.bin --certificate vcek.der --authorities milan.pem
      tabasco verify token.cbor --key iak.pem --nonce 00112233...
      tabasco verify q.msg --quote-signature q.sig --quote-registers q.pcrs --key ak.pem
      tabasco verify gpus.json --rim driver.xml --rim vbios.xml --nonce 00112233...
    """  # noqa: D301 - click's mark for lines that stay
    if html is not None:
        refuse_existing(html, force=force)
    data = _evidence(file, options["quote_signature"], options["quote_registers"])
    policy = _policy(options["policy"])
    at = at or current_time()
    with ExitStack() as stack:
        opened = _database(state, database, stack)
        report = inspection.inspect(
            data,
            EvidenceKind(kind) if kind else None,
            means=_means(options),
            acceptance=_acceptance(options),
            policy=policy,
            at=at,
            references=_references(opened, at),
            revoked=None if opened is None else Revocations(opened).among,
        )
    warnings = (
        *unknown_concerns(options["concerns"]),
        *(() if policy is None else policy.warnings()),
    )
    for warning in warnings:
        note(f"warning: {warning}")
    if html is not None:
        told = evidence_page(report, file=str(file), warnings=warnings)
        write_new_file(html, told.encode(), mode=0o644, force=force)
    emit(inspection.as_json(report), inspection.as_text(report), as_json=as_json)
    if report.verdict is not inspection.EvidenceVerdict.ACCEPTED:
        context.exit(inspection.REFUSED)


def _evidence(file: Path, signature: Path | None, registers: Path | None) -> bytes:
    data = plain(read_file(file, limit=MAX_EVIDENCE_BYTES, what="evidence"))
    if signature is None and registers is None:
        return data
    if signature is None or registers is None:
        raise click.UsageError("give both --quote-signature and --quote-registers, or neither")
    try:
        return document_of(
            data,
            read_file(signature, limit=MAX_SIGNATURE_BYTES, what="signature"),
            read_file(registers, limit=MAX_REGISTERS_BYTES, what="registers"),
        )
    except EvidenceError as error:
        raise TabascoError(f"{file} and {registers}: {error.detail}") from error


def _database(state: StateDirectory, url: str | None, stack: ExitStack) -> Database | None:
    """The database of a service on this machine, if there is one; one that is named has to be."""
    if url is None and not state.has_database:
        return None
    return stack.enter_context(open_database(state, url))


def _references(database: Database | None, at: datetime) -> References:
    if database is None:
        return lambda _kind, _name: ()
    values = ReferenceValues(database)
    return lambda kind, name: values.accepted(kind, name, at=at)


def _means(options: dict[str, Any]) -> Means:
    collateral = options["collateral"]
    try:
        return Means(
            collateral=None
            if collateral is None
            else Collateral.from_json(
                read_file(collateral, limit=MAX_COLLATERAL_BYTES, what="collateral")
            ),
            certificate=_content(options["certificate"], "certificate"),
            authorities=_authorities(options["authorities"]),
            crl=_content(options["crl"], "revocation list", limit=MAX_COLLATERAL_BYTES),
            manifests=tuple(
                read_file(each, limit=MAX_XML_BYTES, what="reference values")
                for each in options["manifests"]
            ),
            **_trusted(options["roots"]),
            quotes=tuple(
                plain(read_file(each, limit=MAX_EVIDENCE_BYTES, what="quote"))
                for each in options["quotes"]
            ),
            event_log=_content(options["event_log"], "event log", limit=MAX_LOG_BYTES),
            max_age=timedelta(minutes=options["max_age"]),
            **keys_in(options["keys"]),
            mac_key=_mac_key(options["mac_key"]),
            nonce=_nonce(options["nonce"], options["nonce_text"]),
            audience=options["audience"],
            source=source(options["store"]),
        )
    except EvidenceError as error:
        raise TabascoError(f"{collateral}: {error.detail}") from error


def _content(file: Path | None, what: str, *, limit: int = _MAX_CERTIFICATES_BYTES) -> bytes | None:
    return None if file is None else read_file(file, limit=limit, what=what)


def _nonce(given: bytes | None, text: str | None) -> bytes | None:
    if given is not None and text is not None:
        raise click.UsageError("--nonce and --nonce-text name the same thing: give one")
    return given if text is None else text.encode()


def _authorities(files: Sequence[Path]) -> bytes | None:
    """Certificates in PEM, whatever each file has; anything else as it is, for its verifier."""
    if not files:
        return None
    found: list[bytes] = []
    for file in files:
        data = read_file(file, limit=_MAX_CERTIFICATES_BYTES, what="certificates")
        found.append(certificates.as_pem(data) if data[:1] == b"\x30" else data)
    return b"\n".join(found)


def _trusted(files: Sequence[Path]) -> dict[str, Any]:
    """Which roots are trusted in place of the vendors'."""
    if not files:
        return {}
    found: list[bytes] = []
    for file in files:
        data = read_file(file, limit=_MAX_CERTIFICATES_BYTES, what="root certificate")
        try:
            is_pem = certificates.is_pem(data)
            found += certificates.pem_blocks(data, explained=True) if is_pem else [data]
            certificates.load(found[-1])
        except EvidenceError as error:
            raise TabascoError(f"{file} is not a root certificate: {error.detail}") from error
    digests = frozenset(hashlib.sha256(each).digest() for each in found)
    return {"roots": digests, "key_roots": tuple(found)}


def _mac_key(file: Path | None) -> MacKey | None:
    if file is None:
        return None
    return MacKey(Secret(read_file(file, limit=1024, what="MAC key")))


def _acceptance(options: dict[str, Any]) -> Acceptance:
    return Acceptance(
        tcb_statuses=frozenset({TcbStatus.UP_TO_DATE, *map(TcbStatus, options["statuses"])}),
        advisories=frozenset(options["advisories"]) or None,
        debug=options["debug"],
        report_data=options["report_data"],
        concerns=frozenset(options["concerns"]),
    )


def _policy(file: Path | None) -> AppraisalPolicy | None:
    if file is None:
        return None
    return AppraisalPolicy.parse(read_file(file, limit=MAX_POLICY_BYTES, what="appraisal policy"))
