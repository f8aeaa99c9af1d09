"""Intel's signed statements: about the platforms of one kind (TCB info), about its quoting enclave.

Each lists levels, best first. What follows from them for one quote is in `intel_tcb`.

Standard: Intel, "PCS API v4": TCB info of version 3, enclave identity of version 2.
"""

import re
from datetime import datetime
from typing import Final

from tabasco.verify.errors import EvidenceError, Fault, VerificationStage
from tabasco.verify.intel.json_members import Members, malformed, parse
from tabasco.verify.intel.quote import Tee
from tabasco.verify.proven import TcbStatus
from veracruz_utils.frozen import frozen

_ADVISORY: Final = re.compile(r"INTEL-[A-Z]{2}-[0-9]{4,8}")
_SIGNED_STATUSES: Final = {
    status.value: status
    for status in TcbStatus
    if status
    not in {
        TcbStatus.UNSUPPORTED,
        TcbStatus.TD_RELAUNCH_ADVISED,
        TcbStatus.TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED,
    }
}
"""What Intel's statements say; the other three are concluded."""


@frozen
class Standing:
    """A status and the advisories that come with it."""

    status: TcbStatus
    advisories: frozenset[str] = frozenset()


@frozen
class PlatformLevel:
    """What a platform needs for this standing; `tdx` is empty for SGX."""

    sgx: tuple[int, ...]
    pce_svn: int
    tdx: tuple[int, ...]
    standing: Standing


@frozen
class EnclaveLevel:
    """The security version that an enclave or module needs for this standing."""

    isv_svn: int
    standing: Standing


@frozen
class TdxModule:
    """A TDX module that Intel signed; `id` is empty for the only one of TDX 1.0."""

    id: str
    mrsigner: bytes
    attributes: bytes
    mask: bytes
    levels: tuple[EnclaveLevel, ...]


@frozen
class TcbInfo:
    """Intel's statement about all platforms of one FMSPC."""

    tee: Tee
    issued: datetime
    next_update: datetime
    fmspc: bytes
    pce_id: bytes
    evaluation: int
    modules: tuple[TdxModule, ...]
    levels: tuple[PlatformLevel, ...]


@frozen
class QeIdentity:
    """Intel's statement about its quoting enclave."""

    tee: Tee
    issued: datetime
    next_update: datetime
    evaluation: int
    misc_select: bytes
    misc_select_mask: bytes
    attributes: bytes
    attributes_mask: bytes
    mrsigner: bytes
    isv_prod_id: int
    levels: tuple[EnclaveLevel, ...]


def parse_tcb_info(text: str) -> TcbInfo:
    """TCB info of version 3, from text whose signature has been verified.

    Raises:
        EvidenceError: stage `collateral`.
    """
    info = parse(text, "TCB info")
    _expect_version(info, 3)
    if info.number("tcbType") != 0:
        raise malformed("TCB info is of a type that compares otherwise than by component")
    tee = _tee(info, {"SGX": Tee.SGX, "TDX": Tee.TDX})
    levels = tuple(_platform_level(level, tee) for level in info.objects("tcbLevels"))
    return TcbInfo(
        tee=tee,
        issued=info.time("issueDate"),
        next_update=info.time("nextUpdate"),
        fmspc=info.octets("fmspc", 6),
        pce_id=info.octets("pceId", 2),
        evaluation=info.number("tcbEvaluationDataNumber"),
        modules=_modules(info) if tee is Tee.TDX else (),
        levels=levels,
    )


def parse_qe_identity(text: str) -> QeIdentity:
    """A QE identity of version 2, from text whose signature has been verified.

    Raises:
        EvidenceError: stage `collateral`.
    """
    identity = parse(text, "QE identity")
    _expect_version(identity, 2)
    return QeIdentity(
        tee=_tee(identity, {"QE": Tee.SGX, "TD_QE": Tee.TDX}),
        issued=identity.time("issueDate"),
        next_update=identity.time("nextUpdate"),
        evaluation=identity.number("tcbEvaluationDataNumber"),
        misc_select=identity.octets("miscselect", 4),
        misc_select_mask=identity.octets("miscselectMask", 4),
        attributes=identity.octets("attributes", 16),
        attributes_mask=identity.octets("attributesMask", 16),
        mrsigner=identity.octets("mrsigner", 32),
        isv_prod_id=identity.number("isvprodid"),
        levels=_enclave_levels(identity),
    )


def _expect_version(members: Members, wanted: int) -> None:
    found = members.number("version")
    if found != wanted:
        raise EvidenceError(
            Fault.UNSUPPORTED_VERSION,
            VerificationStage.COLLATERAL,
            f"{members.what} of version {found}, known is {wanted}",
        )


def _tee(members: Members, names: dict[str, Tee]) -> Tee:
    name = members.text("id")
    if name not in names:
        raise malformed(f"{members.what} is about {name[:32]!r}, known are {', '.join(names)}")
    return names[name]


def _standing(level: Members) -> Standing:
    name = level.text("tcbStatus")
    if name not in _SIGNED_STATUSES:
        raise malformed(f"{level.what} has unknown status {name[:40]!r}")
    advisories = level.texts("advisoryIDs")
    for advisory in advisories:
        if not _ADVISORY.fullmatch(advisory):
            raise malformed(f"{level.what} has unknown advisory {advisory[:40]!r}")
    return Standing(_SIGNED_STATUSES[name], frozenset(advisories))


def _platform_level(level: Members, tee: Tee) -> PlatformLevel:
    tcb = level.member("tcb")
    return PlatformLevel(
        sgx=_components(tcb, "sgxtcbcomponents"),
        pce_svn=tcb.number("pcesvn"),
        tdx=_components(tcb, "tdxtcbcomponents") if tee is Tee.TDX else (),
        standing=_standing(level),
    )


def _components(tcb: Members, name: str) -> tuple[int, ...]:
    components = tuple(each.number("svn") for each in tcb.objects(name))
    if len(components) != 16 or max(components) > 255:
        raise malformed(f"{tcb.what}: {name} are not 16 numbers of a byte each")
    return components


def _enclave_levels(members: Members) -> tuple[EnclaveLevel, ...]:
    return tuple(
        EnclaveLevel(level.member("tcb").number("isvsvn"), _standing(level))
        for level in members.objects("tcbLevels")
    )


def _modules(info: Members) -> tuple[TdxModule, ...]:
    modules = [_tdx_module("", info.member("tdxModule"))]
    modules += [
        _tdx_module(each.text("id").upper(), each) for each in info.objects("tdxModuleIdentities")
    ]
    if len({module.id for module in modules}) != len(modules):
        raise malformed("TCB info names a TDX module twice")
    return tuple(modules)


def _tdx_module(name: str, members: Members) -> TdxModule:
    return TdxModule(
        id=name,
        mrsigner=members.octets("mrsigner", 48),
        attributes=members.octets("attributes", 8),
        mask=members.octets("attributesMask", 8),
        levels=_enclave_levels(members),
    )
