"""What `sonora serve` is put together from, and how it is served."""

import contextlib
import threading
from collections.abc import Callable, Collection, Iterator
from functools import partial
from pathlib import Path
from typing import Final

from colima.isolate import MAX_CORE_BYTES
from execution_engine.author_part import parts_of
from execution_engine.errors import EngineError
from execution_engine.static_limits import is_component
from sonora.bridge_access import BridgeAccess
from sonora.enrolled_key import EnrolledKey, enrol_with_retry
from sonora.enrolment import OwnEnrolment
from sonora.errors import SonoraError
from sonora.evidence import EvidenceSource, SourceSettings, source_named
from sonora.evidence.software import SOFTWARE_WARNING
from sonora.linux_launcher import LinuxLauncher
from sonora.sealing import FILE, GramineSealer, SealedEnrolment
from sonora.server import SonoraServer
from sonora.users import ROOT, User, become, require_owned
from veracruz_shells.console import emit, note, read_file
from veracruz_shells.service import GrpcService
from veracruz_utils.policy import LINUX_SOFTWARE, IsolationLayer

_ROOT_WARNING: Final = (
    "SONORA RUNS AS ROOT. A flaw in what an isolate runs, or in Sonora, is",
    "then the end of this whole machine. Make a user for it, give it --state,",
    "and start it with --user NAME (and the bridge with --bridge-user NAME).",
)


def core_of(file: Path) -> bytes:
    """The core that a program begins with, or is."""
    program = read_file(file, limit=MAX_CORE_BYTES, what="program")
    if not is_component(program):
        raise SonoraError(f"{file} cannot be prepared: give a program in Python, or its core")
    try:
        return program[: parts_of(program).core_bytes]
    except EngineError as error:
        raise SonoraError(f"{file} cannot be prepared: {error}") from None


def warn_of_root(owner: User) -> list[str]:
    """Say so where Sonora is to run as root; what was said."""
    if owner.uid != ROOT:
        return []
    note("\n".join(["", "*" * 72, *(f"*  {line}" for line in _ROOT_WARNING), "*" * 72, ""]))
    return [" ".join(_ROOT_WARNING)]


def source_as(owner: User, evidence: str, settings: SourceSettings) -> EvidenceSource:
    """The source of evidence; root is given up for `owner` when this returns."""
    require_owned(settings.state, owner)
    # Devices are opened while we may; a key in a file has to be the new user's own.
    opened = None if evidence == "software" else source_named(evidence, settings)
    become(owner)
    return opened or source_named(evidence, settings)


def _layers_in_words(layers: Collection[IsolationLayer]) -> str:
    missing = sorted(set(IsolationLayer) - set(layers))
    told = f"layers of isolation in force: {', '.join(sorted(layers)) or 'none'}"
    return f"{told}; not: {', '.join(missing)} (see: sonora doctor)" if missing else told


def bridge_of(access: BridgeAccess) -> dict[str, object]:
    """Who may connect besides Sonora's own user, for programs."""
    return {
        "user": access.user.name if access.user else None,
        "group": access.group,
        "separate": access.separate,
    }


def kept_enrolment(evidence: str, state: Path) -> SealedEnrolment | None:
    """Where an enrolment outlives a restart: on a platform that seals, and nowhere else."""
    return SealedEnrolment(state / FILE, GramineSealer()) if evidence == "gramine" else None


def enrolled_key(
    renew: Callable[[], OwnEnrolment], kept: SealedEnrolment | None, *, patience_s: float
) -> EnrolledKey:
    """The key that isolates are vouched for by: one that was kept, or else of a new enrolment.

    Args:
        renew: enrols.
        kept: where an enrolment outlives a restart, if anywhere.
        patience_s: for how long the first enrolment is tried again where Tabasco is not reached.
    """
    if kept is None:
        return EnrolledKey(renew, first=partial(enrol_with_retry, renew, patience_s=patience_s))
    return EnrolledKey(
        lambda: kept.keep(renew()),
        first=lambda: kept.resume() or kept.keep(enrol_with_retry(renew, patience_s=patience_s)),
    )


@contextlib.contextmanager
def serving(server: SonoraServer) -> Iterator[SonoraServer]:
    """Serve bridges until the block ends."""
    thread = threading.Thread(target=server.serve_forever, name="sonora", daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join()


def serve_health(
    service: GrpcService,
    launcher: LinuxLauncher,
    server: SonoraServer,
    facts: dict[str, object],
    layers: Collection[IsolationLayer],
    *,
    as_json: bool,
) -> bool:
    """Serve health until a signal; whether the zygote was lost instead."""
    lost = threading.Event()

    def zygote_lost() -> None:
        lost.set()
        service.stop()

    def ready() -> None:
        if launcher.platform == LINUX_SOFTWARE:
            note(f"sonora: {SOFTWARE_WARNING}")
        note(f"sonora: {_layers_in_words(layers)}")
        note(
            f"sonora: ready on {facts['socket']}, health on {service.address}",
            socket=str(facts["socket"]),
            address=service.address,
        )
        if as_json:
            emit({"ready": True, "health": service.address, **facts}, "", as_json=True)

    launcher.on_lost = zygote_lost
    service.serve_until_signalled(ready, on_stopping=server.shutdown)
    return lost.is_set()
