"""What a service needs by its settings: files and their rights, room, peers, certificates."""

import os
import shutil
import socket
import stat
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import Final

from cryptography import x509

from sinaloa.policy_folder import policies_in
from sonora.doctor import FindingState, HostFinding
from tabasco.registry.database import NEWEST, Database
from tabasco.registry.state import StateDirectory
from veracruz.checkup.settings import ServiceSettings
from veracruz_shells.channels import is_serving, open_channel
from veracruz_shells.files import read_file
from veracruz_shells.policy_files import read_policy
from veracruz_shells.tls_files import client_files
from veracruz_utils.address import Address
from veracruz_utils.errors import VeracruzError

_GOOD, _MISSING, _NOTE = FindingState.GOOD, FindingState.MISSING, FindingState.NOTE
_SOON: Final = timedelta(days=30)
_LITTLE_ROOM: Final = 1 << 30
_NO_ROOM: Final = 64 << 20
_WAIT_S: Final = 3.0
_MAX_PEM: Final = 1 << 20


def look_at_service(name: str, settings: ServiceSettings) -> tuple[HostFinding, ...]:
    """A finding for each thing."""
    means = "What the service is told: flags of its unit, the environment, a file in TOML."
    if settings.error:
        remedy = f"{name} serve --print-config says the same until it is mended"
        return (_wrong("settings", settings.error, means, remedy),)
    where = settings.file or "no file, so what the unit says and the defaults"
    found = [HostFinding("settings", _GOOD, str(where), means)]
    found += _LOOKS[name](settings)
    found += _certificates(settings)
    found += _metrics(settings)
    return tuple(found)


def _tabasco(settings: ServiceSettings) -> Iterator[HostFinding]:
    state = settings.path("state")
    if state is not None:
        yield from _folder(state)
        yield _database(StateDirectory(state), settings.values.get("database"))
    yield from _listens(settings, plain=settings.values.get("tls_certificate") is None)


def _sonora(settings: ServiceSettings) -> Iterator[HostFinding]:
    state = settings.path("state")
    if state is not None:
        yield from _folder(state)
        yield _socket(settings.path("socket") or state / "sonora.sock", running_elsewhere=False)
    yield _attestation_service(settings)


def _sinaloa(settings: ServiceSettings) -> Iterator[HostFinding]:
    sonora = settings.path("sonora")
    if sonora is not None:
        yield _socket(sonora, running_elsewhere=True)
    folder = settings.path("policies")
    if folder is not None:
        yield _policies(folder)
    yield from _listens(settings, plain=True)


_LOOKS: Final = {"tabasco": _tabasco, "sonora": _sonora, "sinaloa": _sinaloa}


def _folder(path: Path) -> Iterator[HostFinding]:
    means = "Keys are in it: nobody but the service's user may look into it."
    try:
        facts = path.stat()
    except OSError as error:
        remedy = "systemd-tmpfiles --create, or start the service once"
        yield HostFinding("state folder", _NOTE, f"{path}: {_why(error)}", means, remedy)
        return
    # To pass through alone shows nothing of what is in it.
    if stat.S_IMODE(facts.st_mode) & 0o066:
        found = f"{path} is open to others ({stat.S_IMODE(facts.st_mode):o})"
        yield _wrong("state folder", found, means, f"chmod 700 {path}")
    elif os.geteuid() not in {0, facts.st_uid}:
        found = f"{path} is of user {facts.st_uid}, and its content was not looked at"
        yield HostFinding("state folder", _NOTE, found, means, "run this as root or that user")
    else:
        found = f"{path}, of user {facts.st_uid}"
        yield HostFinding("state folder", _GOOD, found, means)
    yield _room(path)


def _room(path: Path) -> HostFinding:
    means = "Without room nothing is enrolled, revoked or logged."
    free = shutil.disk_usage(path).free
    found = f"{free >> 20} MiB free where {path} is"
    remedy = "make room, or give the folder a file system of its own"
    if free < _NO_ROOM:
        return _wrong("disk space", found, means, remedy)
    return HostFinding("disk space", _GOOD if free >= _LITTLE_ROOM else _NOTE, found, means, remedy)


def _database(state: StateDirectory, url: object) -> HostFinding:
    means = "Whom Tabasco believes, and what it has revoked."
    name = "database"
    try:
        place = url if isinstance(url, str) else state.database_url
        if not isinstance(url, str) and not state.has_database:
            return HostFinding(name, _NOTE, "none yet", means, "tabasco init, or start it once")
        has = Database.revision_of(place)
    except (VeracruzError, OSError) as error:
        remedy = "see to the database server, or restore a backup into a new folder"
        return _wrong(name, str(error), means, remedy)
    if has == NEWEST:
        return HostFinding(name, _GOOD, f"there, at revision {has}", means)
    found = f"at revision {has or 'none'}, this version has {NEWEST}"
    return HostFinding(
        name, _NOTE, found, means, "back it up; the start of Tabasco brings it there"
    )


def _listens(settings: ServiceSettings, *, plain: bool) -> Iterator[HostFinding]:
    address = settings.values.get("listen")
    if not isinstance(address, str) or Address.parse(address).port == 0:
        return
    means = "Whether the service answers where it is to listen."
    place = _reachable(Address.parse(address))
    if plain:
        with closing(open_channel(str(place))) as channel:
            answers = is_serving(channel, timeout_s=_WAIT_S)
    else:
        answers = _connects(place)  # only a client with a certificate would be answered
    if answers:
        yield HostFinding("service", _GOOD, f"answers at {place}", means)
    else:
        yield HostFinding("service", _NOTE, f"no answer at {place}", means, "start it, see its log")


def _attestation_service(settings: ServiceSettings) -> HostFinding:
    means = "Sonora enrols there; without it no isolate is vouched for."
    address = str(settings.values.get("tabasco"))
    remedy = "start tabasco, or correct --tabasco and --tabasco-ca"
    try:
        tls = client_files(
            settings.path("tabasco_ca"),
            settings.path("tabasco_client_certificate"),
            settings.path("tabasco_client_key"),
        )
        with closing(open_channel(address, tls=tls)) as channel:
            answers = is_serving(channel, timeout_s=_WAIT_S)
    except VeracruzError as error:
        return _wrong("tabasco", str(error), means, remedy)
    if answers:
        return HostFinding("tabasco", _GOOD, f"serves at {address}", means, needed=True)
    return _wrong("tabasco", f"not serving at {address}", means, remedy)


def _socket(path: Path, *, running_elsewhere: bool) -> HostFinding:
    means = "The door between the bridge and Sonora."
    name = "socket"
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(_WAIT_S)
        try:
            probe.connect(str(path))
        except PermissionError:
            remedy = "it is open to Sonora's user and the bridge's: run this as one of them"
            return HostFinding(name, _NOTE, f"{path} is closed to this user", means, remedy)
        except OSError as error:
            found, remedy = f"{path}: {_why(error)}", "start sonora, and name its --socket alike"
            state = _MISSING if running_elsewhere else _NOTE
            return HostFinding(name, state, found, means, remedy, needed=running_elsewhere)
    return HostFinding(name, _GOOD, f"sonora listens on {path}", means, needed=running_elsewhere)


def _policies(folder: Path) -> HostFinding:
    means = "Each policy in it is a computation that the bridge serves."
    try:
        files = policies_in(folder)
    except VeracruzError as error:
        remedy = f"mkdir {folder}, readable by the bridge's user"
        return _wrong("policies", str(error), means, remedy)
    wrong = []
    for each in files:
        try:
            read_policy(each).require_in_force(datetime.now(UTC))
        except VeracruzError as error:
            wrong.append(f"{each.name}: {error}")
    found = f"{len(files) - len(wrong)} in force in {folder}"
    if wrong:
        found += f"; not: {'; '.join(wrong)[:600]}"
        return HostFinding("policies", _NOTE, found, means, "take out what is not to be served")
    return HostFinding("policies", _GOOD, found, means)


def _certificates(settings: ServiceSettings) -> Iterator[HostFinding]:
    means = "When it is over nobody gets a connection that asks for it."
    for key in sorted(settings.values):
        path = settings.path(key)
        if path is None or not key.endswith(("certificate", "_ca")):
            continue
        name = key.replace("_", " ")
        try:
            raw = read_file(path, limit=_MAX_PEM, what="certificate")
            until = min(each.not_valid_after_utc for each in x509.load_pem_x509_certificates(raw))
        except (VeracruzError, ValueError) as error:
            yield _wrong(name, f"{path}: {error}", means, "put a certificate in PEM there")
            continue
        left = until - datetime.now(UTC)
        found = f"{path} is good until {until:%Y-%m-%d}"
        if left <= timedelta():
            yield _wrong(name, f"{path} ended on {until:%Y-%m-%d}", means, "renew it")
        elif left < _SOON:
            remedy = "renew it; services take the new files by themselves"
            yield HostFinding(name, _NOTE, found, means, remedy)
        else:
            yield HostFinding(name, _GOOD, found, means)


def _metrics(settings: ServiceSettings) -> Iterator[HostFinding]:
    address = settings.values.get("metrics")
    if not isinstance(address, str):
        return
    place = Address.parse(f"127.0.0.1:{address}" if address.isdigit() else address)
    if place.port == 0:
        return
    place = _reachable(place)
    means = "What Prometheus reads."
    connection = HTTPConnection(place.host, place.port, timeout=_WAIT_S)
    try:
        connection.request("GET", "/metrics")
        well = connection.getresponse().status == 200
    except OSError:
        well = False
    finally:
        connection.close()
    if well:
        yield HostFinding("metrics", _GOOD, f"served at {place}", means)
    else:
        yield HostFinding("metrics", _NOTE, f"not served at {place}", means, "start the service")


def _reachable(address: Address) -> Address:
    """Where to ask what listens there: every address is asked for by one of this machine."""
    anywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - not to listen on
    return Address(anywhere.get(address.host, address.host), address.port)


def _connects(address: Address) -> bool:
    try:
        socket.create_connection((address.host, address.port), _WAIT_S).close()
    except OSError:
        return False
    return True


def _wrong(name: str, found: str, means: str, remedy: str) -> HostFinding:
    return HostFinding(name, _MISSING, found, means, remedy, needed=True)


def _why(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
