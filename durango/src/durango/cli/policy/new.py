"""`durango policy new`: a policy from options, a short cut for `policy build`."""

from datetime import UTC, datetime
from pathlib import Path

import click

from durango.cli.conduct import conduct_options
from durango.cli.disclosure import disclosure_terms
from durango.cli.options import FILE, force_option, load_tabasco_key, releases_option
from durango.cli.policy.remarks import warn_or_refuse
from durango.cli.terms import (
    EVERY_RUNTIME_LAYER,
    FORMATS,
    NO_LAYER,
    expiry,
    isolation_of,
    limits_of,
    members_of,
    order_of,
    platforms_of,
    suite_of,
)
from durango.content import open_content
from durango.policy.canonical import canonical_json
from durango.policy.checking import check_policy
from durango.policy.facts import policy_facts, policy_text
from durango.policy.machines import read_machines, with_machines
from durango.releases import Releases
from veracruz_image import architecture_of, verify_image
from veracruz_shells.console import ADDRESS, emit, json_option, note, write_new_file
from veracruz_utils.address import Address
from veracruz_utils.policy import IsolationLayer, Policy, PolicyFormat, Role, Strategy
from veracruz_utils.policy.rendering import render_policy


@click.command("new")
@click.option(
    "--identity",
    "identities",
    type=(FILE, str),
    multiple=True,
    required=True,
    metavar="CERTIFICATE ROLES",
    help="A principal and its roles, as in bob.cert.pem DataProvider,ResultReader; repeatable. "
    "As NAME=CERTIFICATE it has a name, by which messages call it. Client ids are 0, 1, 2 in the "
    "order given. Roles: " + ", ".join(Role) + ".",
)
@click.option(
    "--program", type=FILE, required=True, help="The program; the policy names its digest."
)
@click.option(
    "--data-order",
    metavar="IDS",
    help="Client ids of input 0, 1, ...  [default: each DataProvider once, in order]",
)
@click.option(
    "--stream-order",
    metavar="IDS",
    help="Client ids of stream 0, 1, ... of every round.  [default: each StreamProvider once, in "
    "order]",
)
@click.option(
    "--platform",
    "platforms",
    multiple=True,
    metavar="NAME[=HEX]",
    help="An accepted kind of isolate, and the measurement of a runtime on it; without =HEX, what "
    "--release and --image say. Repeatable.",
)
@click.option(
    "--release",
    "versions",
    multiple=True,
    metavar="VERSION",
    help="Accept the runtime of this release, which a key signed that you trust: see `durango "
    "release`. Repeatable.",
)
@click.option(
    "--architecture",
    metavar="NAME",
    help="For which machines, as x86_64, where a release has images for several.",
)
@click.option(
    "--image",
    "images",
    type=click.Path(path_type=Path, exists=True),
    multiple=True,
    metavar="FOLDER|FILE",
    help="Accept the runtime in this image, which you built or checked yourself. Repeatable.",
)
@click.option(
    "--machine",
    type=FILE,
    help="Accept an isolate on a platform only in a machine that was measured as this file says: "
    "`sonora machine measure IMAGE --policy` writes it.",
)
@releases_option
@click.option("--sinaloa", type=ADDRESS, required=True, help="Where the bridge will be.")
@click.option("--tabasco", type=ADDRESS, required=True, help="The attestation service.")
@click.option(
    "--tabasco-key",
    type=FILE,
    envvar="DURANGO_TABASCO_KEY",
    help="Tabasco's public result key (PEM); not for the format of 2021.",
)
@click.option("--expires", metavar="TIME", help="When the policy ends, as 2027-01-31T00:00:00Z.")
@click.option(
    "--days",
    type=click.IntRange(1, 3650),
    help="When the policy ends, in days from now.  [default: 30]",
)
@click.option(
    "--ciphersuite",
    metavar="NAME",
    help="The only cipher suite that is used.  [default: the format's first]",
)
@click.option(
    "--strategy",
    type=click.Choice([strategy.value for strategy in Strategy]),
    default=Strategy.JIT.value,
    show_default=True,
    help="How the program is run.",
)
@click.option(
    "--debug",
    is_flag=True,
    help="Let the program's provider learn where in the program a run fails.",
)
@click.option(
    "--limit",
    "limits",
    multiple=True,
    metavar="NAME=VALUE",
    help="A limit, as in input_bytes=64MiB or run_seconds=30; repeatable.",
)
@click.option(
    "--input",
    "inputs",
    multiple=True,
    metavar="INDEX.FIELD=VALUE",
    help="What input INDEX is, as in 0.name=patients, 0.type='Vec<(u8, f64)>' or 0.bytes=1MiB: "
    "`durango data send` refuses what is not. Repeatable.",
)
@click.option(
    "--stream",
    "streams",
    multiple=True,
    metavar="INDEX.FIELD=VALUE",
    help="The same of stream INDEX.",
)
@click.option(
    "--result",
    "result",
    multiple=True,
    metavar="FIELD=VALUE",
    help="What a result must be before the runtime releases it, as in type='Vec<i64>', bytes=1KiB "
    "or contributors=2, the principals whose input is not empty. Repeatable.",
)
@click.option(
    "--privacy",
    "privacy",
    multiple=True,
    metavar="FIELD=VALUE",
    help="The noise that the runtime adds to a result of whole numbers, and its budget: "
    "mechanism=laplace or gaussian, epsilon, delta, total_epsilon, total_delta, sensitivity. "
    "Repeatable.",
)
@conduct_options
@click.option(
    "--isolation",
    "isolation",
    type=click.Choice([EVERY_RUNTIME_LAYER, *map(str, IsolationLayer), NO_LAYER]),
    multiple=True,
    help="A layer that must be in force around the isolate; repeatable. An isolate without it is "
    "refused. `runtime` is all that the runtime brings about by itself, on a machine that allows "
    "it; `separate-user` depends on how Sonora is set up there; `none` accepts an isolate that "
    "nothing keeps apart from its host.  [default: runtime]",
)
@click.option(
    "--format", "format_name", type=click.Choice(list(FORMATS)), default="current",
    show_default=True, help="The policy's format.",
)  # fmt: skip
@click.option("--output", type=FILE, required=True, help="The file to write.")
@force_option
@json_option
def new(
    *,
    identities: tuple[tuple[Path, str], ...],
    program: Path,
    data_order: str | None,
    stream_order: str | None,
    platforms: tuple[str, ...],
    versions: tuple[str, ...],
    architecture: str | None,
    images: tuple[Path, ...],
    machine: Path | None,
    config: Path,
    sinaloa: Address,
    tabasco: Address,
    tabasco_key: Path | None,
    expires: str | None,
    days: int | None,
    ciphersuite: str | None,
    strategy: str,
    debug: bool,
    limits: tuple[str, ...],
    inputs: tuple[str, ...],
    streams: tuple[str, ...],
    result: tuple[str, ...],
    privacy: tuple[str, ...],
    conduct: dict[str, object],
    isolation: tuple[str, ...],
    format_name: str,
    output: Path,
    force: bool,
    as_json: bool,
) -> None:
    """Write a policy. All principals use this very file: one byte more is another policy."""
    now = datetime.now(UTC)
    members = members_of(identities)
    with open_content(program) as content:
        program_digest = content.digest()
    releases = Releases(config, at=now)
    runtimes = [_of_release(releases, version, architecture) for version in versions]
    runtimes += [_of_image(path) for path in images]
    accepted = platforms_of(platforms, runtimes)
    if machine is not None:
        accepted = with_machines(accepted, read_machines(machine), path=machine)
        for platform in accepted:
            if not platform.machine:
                note(f"warning: {machine} measures no machine for {platform.name}: any is accepted")
    data_places = order_of(data_order, members, Role.DATA_PROVIDER)
    stream_places = order_of(stream_order, members, Role.STREAM_PROVIDER)
    text = render_policy(
        at=now,
        identities=members,
        sinaloa=sinaloa,
        tabasco=tabasco,
        tabasco_key=_key_to_name(tabasco_key, FORMATS[format_name]),
        expires_at=expiry(expires, days, now=now),
        ciphersuite=suite_of(ciphersuite, FORMATS[format_name]),
        platforms=accepted,
        data_provision_order=data_places,
        streaming_order=stream_places,
        program_digest=program_digest,
        strategy=Strategy(strategy),
        debug=debug,
        limits=limits_of(limits),
        isolation=isolation_of(isolation),
        terms=conduct
        | disclosure_terms(
            inputs=inputs,
            streams=streams,
            result=result,
            privacy=privacy,
            data_order=data_places,
            stream_order=stream_places,
        ),
        policy_format=FORMATS[format_name],
    )
    if FORMATS[format_name] is PolicyFormat.CURRENT:
        text = canonical_json(text)
    made = Policy.parse(text, at=now)
    write_new_file(output, text, mode=0o644, force=force)
    emit({"file": output, **policy_facts(made)}, policy_text(made), as_json=as_json)
    if not _begins_as_webassembly(program):
        note(f"warning: {program} is not WebAssembly: no isolate will run it")
    warn_or_refuse(check_policy(made, releases=releases, at=now), output)


def _of_release(releases: Releases, version: str, architecture: str | None) -> bytes:
    known = releases.find(version)
    machines, measurement = known.measurement(architecture)
    note(
        f"release {version} for {machines} measures {measurement.hex()}, "
        f"says key {known.signed_by.short}"
    )
    return measurement


def _of_image(path: Path) -> bytes:
    manifest = verify_image(path)
    note(f"{path} measures {manifest.measurement}, for {architecture_of(manifest)}")
    return manifest.measurement.value


def _begins_as_webassembly(program: Path) -> bool:
    with program.open("rb") as file:
        return file.read(4) == b"\0asm"


def _key_to_name(path: Path | None, policy_format: PolicyFormat) -> bytes | None:
    if path is None and policy_format is PolicyFormat.CURRENT:
        raise click.UsageError(
            "a policy names the key of its Tabasco: give --tabasco-key with the file that "
            "`tabasco public-key` printed"
        )
    return load_tabasco_key(path)
