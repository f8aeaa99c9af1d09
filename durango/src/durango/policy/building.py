"""From a policy's source to its text: files are read, roles follow, JSON is canonical."""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding

from durango._words import printable
from durango.content import open_content
from durango.identity import MAX_PEM_BYTES, load_certificate, parse_certificate
from durango.policy.canonical import canonical_json
from durango.policy.machines import pinned_registers
from durango.policy.source import (
    Least,
    PlaceTable,
    PlatformTable,
    PolicySource,
    SourceError,
    read_source,
    size_of,
)
from durango.releases import Releases
from durango.tabasco_keys import parse_tabasco_key
from veracruz_image import verify_image
from veracruz_shells.files import read_file
from veracruz_utils.address import Address
from veracruz_utils.digest import Digest
from veracruz_utils.errors import VeracruzError
from veracruz_utils.policy import (
    OPAQUE,
    STREAM_SENDERS,
    TLS_1_3_SUITES,
    AcceptedPlatform,
    Limits,
    Policy,
    PolicyError,
    PolicyIdentity,
    Role,
    ciphersuite_named,
)
from veracruz_utils.policy.rendering import render_policy

_PEM: Final = "-----BEGIN "


def build_policy(
    source: Path | str, *, releases: Releases | None = None, at: datetime | None = None
) -> Policy:
    """The policy that a TOML file describes; its text, `Policy.raw`, is what everybody uses.

    Args:
        source: the file; what it names is looked for beside it. docs/reference/policy-toml.md has
            its fields.
        releases: those that are known here, for platforms that name some.
        at: the time it is; None is now.

    Raises:
        SourceError: it is not TOML or not a policy, or a name, a file or a size in it is wrong.
        PolicyError: no policy can say this.
        VeracruzError: a file cannot be read, or is not what it should be.
    """
    at = at or datetime.now(UTC)
    said = read_source(Path(source))
    try:
        return Policy.parse(text_of_source(said, releases=releases, at=at), at=at)
    except SourceError as error:
        raise SourceError(f"{source}: {error}") from error
    except PolicyError as error:
        raise error.in_file(f"of {source}") from error


def text_of_source(source: PolicySource, *, releases: Releases | None, at: datetime) -> bytes:
    """The policy's text: canonical JSON, whose SHA-256 is the policy's digest.

    Args:
        source: what its author wrote.
        releases: those that are known here, for platforms that name some.
        at: the time it is.

    Raises:
        SourceError: a name, a file or a size in it is wrong.
        PolicyError: no policy can say this.
        VeracruzError: a file cannot be read, or is not what it should be.
    """
    numbers = _numbers(source)
    identities = [
        PolicyIdentity(
            numbers[name],
            _certificate(source, name, principal.certificate),
            frozenset(_roles_of(source, name)),
            name,
        )
        for name, principal in source.principals.items()
    ]
    text = render_policy(
        at=at,
        identities=identities,
        sinaloa=_address(source.delegate.sinaloa, "delegate.sinaloa"),
        tabasco=_address(source.attestation.tabasco, "attestation.tabasco"),
        tabasco_key=_tabasco_key(source),
        expires_at=source.ends_at(at),
        ciphersuite=TLS_1_3_SUITES[0]
        if source.ciphersuite is None
        else ciphersuite_named(source.ciphersuite, TLS_1_3_SUITES),
        platforms=[_platform(source, platform, releases) for platform in source.platforms],
        data_provision_order=[numbers[place.provider] for place in source.inputs],
        streaming_order=[numbers[place.provider] for place in source.streams],
        program_digest=_program(source),
        strategy=source.program.strategy,
        debug=source.program.debug,
        limits=_limits(source),
        isolation=None if source.isolation is None else frozenset(source.isolation),
        terms=_terms(source),
    )
    return canonical_json(text)


def _numbers(source: PolicySource) -> dict[str, int]:
    """The client id of each principal, once every name in the file is one's."""
    for where, name in _named(source):
        if name not in source.principals:
            raise SourceError(
                f"{where}: {name[:80]!r} is none of the principals "
                f"{printable(', '.join(source.principals)) or '(there are none)'}"
            )
    given = {each.id for each in source.principals.values()} - {None}
    free = (number for number in range(1 << 32) if number not in given)
    return {
        name: next(free) if each.id is None else each.id for name, each in source.principals.items()
    }


def _named(source: PolicySource) -> Iterable[tuple[str, str]]:
    yield "program.from", source.program.provider
    yield from ((f"inputs[{n}].from", each.provider) for n, each in enumerate(source.inputs))
    yield from ((f"streams[{n}].from", each.provider) for n, each in enumerate(source.streams))
    yield from ((f"result.readers[{n}]", each) for n, each in enumerate(source.result.readers))
    for where, who in (("rounds.next", source.rounds.next), ("consent", source.consent)):
        names = who.of if isinstance(who, Least) else who if isinstance(who, list) else []
        yield from ((f"{where}[{n}]", each) for n, each in enumerate(names))


def _roles_of(source: PolicySource, name: str) -> set[Role]:
    """What a principal may do: something, or it has no place in a policy."""
    roles = set(source.principals[name].roles)
    if source.program.provider == name:
        roles.add(Role.PI_PROVIDER)
    if any(each.provider == name for each in source.inputs):
        roles.add(Role.DATA_PROVIDER)
    # Who provides data may send stream items as well.
    if any(each.provider == name for each in source.streams) and not roles & STREAM_SENDERS:
        roles.add(Role.STREAM_PROVIDER)
    if name in source.result.readers:
        roles.add(Role.RESULT_READER)
    if not roles:
        raise SourceError(
            f"principals.{printable(name)}: has no part in it: name it in program.from, "
            "inputs, streams or result.readers, or leave it out"
        )
    return roles


def _path(source: PolicySource, file: str) -> Path:
    return Path(source.folder, file)


def _certificate(source: PolicySource, name: str, given: str) -> bytes:
    try:
        if given.lstrip().startswith(_PEM):
            certificate = parse_certificate(given.encode(), name=f"certificate of {name}")
        else:
            certificate = load_certificate(_path(source, given))
    except VeracruzError as error:
        raise SourceError(f"principals.{printable(name)}.certificate: {error}") from error
    return certificate.public_bytes(Encoding.DER)


def _tabasco_key(source: PolicySource) -> bytes | None:
    given = source.attestation.key
    if given is None:
        raise SourceError(
            "attestation.key: a policy names the key of its Tabasco: the file that `tabasco "
            "public-key` printed, or its PEM text"
        )
    if given.lstrip().startswith(_PEM):
        return parse_tabasco_key(given.encode(), name="attestation.key")
    path = _path(source, given)
    try:
        pem = read_file(path, limit=MAX_PEM_BYTES, what="key of Tabasco")
        return parse_tabasco_key(pem, name=str(path))
    except VeracruzError as error:
        raise SourceError(f"attestation.key: {error}") from error


def _address(text: str, where: str) -> Address:
    try:
        return Address.parse(text)
    except VeracruzError as error:
        raise SourceError(f"{where}: {error}") from error


def _program(source: PolicySource) -> Digest:
    program = source.program
    digest = None
    if program.digest is not None:
        try:
            digest = Digest.from_hex(program.digest)
        except VeracruzError as error:
            raise SourceError(f"program.digest: {error}") from error
    if program.file is not None:
        try:
            with open_content(_path(source, program.file)) as content:
                found = content.digest()
        except VeracruzError as error:
            raise SourceError(f"program.file: {error}") from error
        if digest is not None and digest != found:
            raise SourceError(
                f"program: {program.file} has digest {found}, program.digest says {digest}"
            )
        digest = found
    if digest is None:
        raise SourceError("program: give its file or its digest")
    return digest


def _platform(
    source: PolicySource, platform: PlatformTable, releases: Releases | None
) -> AcceptedPlatform:
    measurements = set()
    for text in platform.measurements:
        try:
            measurements.add(bytes.fromhex(text))
        except ValueError:
            raise SourceError(
                f"platforms {printable(platform.name)}: {text[:80]!r} is not a measurement in "
                "hexadecimal digits"
            ) from None
    for version in platform.releases:
        if releases is None:
            raise SourceError(
                f"platforms {printable(platform.name)}: release {version[:40]!r} is not known, for "
                "no releases are: give those that you know"
            )
        measurements.add(releases.find(version).measurement(platform.architecture)[1])
    for image in platform.images:
        try:
            measurements.add(verify_image(_path(source, image)).measurement.value)
        except VeracruzError as error:
            raise SourceError(f"platforms {printable(platform.name)}: {error}") from error
    try:
        machine = pinned_registers(platform.machine)
    except SourceError as error:
        raise SourceError(f"platforms {printable(platform.name)}: machine.{error}") from None
    return AcceptedPlatform(platform.name, frozenset(measurements), machine)


def _limits(source: PolicySource) -> Limits | None:
    names = Limits.__dataclass_fields__
    for name in source.limits:
        if name not in names:
            raise SourceError(f"limits: unknown limit {name[:40]!r}; they are {', '.join(names)}")
    values = {name: size_of(value, what=f"limits.{name}") for name, value in source.limits.items()}
    return Limits(**values) if values else None


def _terms(source: PolicySource) -> dict[str, object]:
    result: dict[str, object] = {}
    said = source.result
    if said.type != OPAQUE:
        result["type"] = said.type
    if said.bytes is not None:
        result["bytes"] = size_of(said.bytes, what="result.bytes")
    if said.contributors:
        result["contributors"] = said.contributors
    if said.privacy is not None:
        result["privacy"] = {
            name: str(getattr(said.privacy, name)) for name in said.privacy.__struct_fields__
        }
    terms: dict[str, object] = {
        "rounds": source.rounds.most,
        "attempts": source.rounds.attempts,
        "next_round": _agreement(source.rounds.next, "rounds.next"),
        "results_per_reader": said.per_reader,
        "consent": _agreement(source.consent, "consent"),
        "deterministic": source.program.deterministic or None,
        "inputs": _places(source.inputs, "inputs"),
        "streams": _places(source.streams, "streams"),
        "result": result or None,
    }
    return {name: value for name, value in terms.items() if value is not None}


def _agreement(who: str | list[str] | Least | None, where: str) -> object:
    if isinstance(who, str) and who not in {"all", "any"}:
        raise SourceError(
            f'{where}: {who[:80]!r} is neither "all" nor "any"; names stand in brackets, as in '
            f'{where.rpartition(".")[2]} = ["north"]'
        )
    return {"least": who.least, "of": who.of} if isinstance(who, Least) else who


def _places(places: list[PlaceTable], where: str) -> list[dict[str, object]] | None:
    if not any(each.name or each.type != OPAQUE or each.bytes is not None for each in places):
        return None
    entries = []
    for index, place in enumerate(places):
        entry: dict[str, object] = {}
        if place.name:
            entry["name"] = place.name
        if place.type != OPAQUE:
            entry["type"] = place.type
        if place.bytes is not None:
            entry["bytes"] = size_of(place.bytes, what=f"{where}[{index}].bytes")
        entries.append(entry)
    return entries
