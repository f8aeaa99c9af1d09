"""The standing of a platform, its TDX module and its quoting enclave, by Intel's statements.

The first level that is reached in every component counts. No level reached means unsupported,
which is not the same as out of date. The parts are then brought together to the worst.

Standard: Intel, "PCS API v4", how to determine the status of a platform; for TDX 1.5, "Intel TDX
Module 1.5", TD relaunch.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from tabasco.verify.errors import EvidenceError, Fault, VerificationStage
from tabasco.verify.intel.pck import Platform
from tabasco.verify.intel.quote import EnclaveReport, TdReport
from tabasco.verify.intel.statements import (
    EnclaveLevel,
    PlatformLevel,
    QeIdentity,
    Standing,
    TcbInfo,
    TdxModule,
)
from tabasco.verify.proven import TcbStatus

UNSUPPORTED: Final = Standing(TcbStatus.UNSUPPORTED)


def check_qe(report: EnclaveReport, identity: QeIdentity) -> Standing:
    """The standing of a quoting enclave, if it is the one that Intel speaks of.

    Any enclave on a genuine platform can have its report signed, so without this check anybody's
    enclave could vouch for an attestation key.

    Raises:
        EvidenceError: `ENCLAVE_IDENTITY`.
    """
    same = (
        report.mrsigner == identity.mrsigner
        and report.isv_prod_id == identity.isv_prod_id
        and _masked(report.misc_select, identity.misc_select_mask) == identity.misc_select
        and _masked(report.attributes, identity.attributes_mask) == identity.attributes
    )
    if not same:
        raise EvidenceError(
            Fault.ENCLAVE_IDENTITY,
            VerificationStage.COLLATERAL,
            f"the quoting enclave (signer {report.mrsigner.hex()}, product {report.isv_prod_id}) "
            "is not the one that Intel's identity describes",
        )
    return _enclave_standing(report.isv_svn, identity.levels)


def standing_of_sgx(info: TcbInfo, platform: Platform) -> Standing:
    """The standing of a platform for SGX."""
    return next((level.standing for level in _reached(info, platform)), UNSUPPORTED)


def standing_of_tdx(info: TcbInfo, platform: Platform, report: TdReport, qe: Standing) -> Standing:
    """The standing of a platform and its TDX module for one trust domain.

    Raises:
        EvidenceError: `ENCLAVE_IDENTITY`: the TDX module is none that Intel speaks of.
    """
    reached = list(_reached(info, platform))
    svns = report.tee_tcb_svn
    # Bytes 0 and 1 are the module's; where it has a version of its own, its identity judges them.
    first = 2 if svns[1] else 0
    level = next((each for each in reached if _at_least(svns[first:], each.tdx[first:])), None)
    if level is None:
        return UNSUPPORTED
    module = _module_standing(info, report)
    converged = worst(level.standing, module)
    if report.tee_tcb_svn_2 is not None:
        sgx = reached[0].standing.status
        statuses = (sgx, converged.status, module.status, qe.status)
        return _relaunch(info, report.tee_tcb_svn_2, statuses, converged)
    return converged


_OLD, _CONFIGURE, _HARDEN = "old", "configure", "harden"
_TRAITS: Final = {
    TcbStatus.UP_TO_DATE: frozenset[str](),
    TcbStatus.SW_HARDENING_NEEDED: frozenset({_HARDEN}),
    TcbStatus.CONFIGURATION_NEEDED: frozenset({_CONFIGURE}),
    TcbStatus.CONFIGURATION_AND_SW_HARDENING_NEEDED: frozenset({_CONFIGURE, _HARDEN}),
    TcbStatus.OUT_OF_DATE: frozenset({_OLD}),
    TcbStatus.OUT_OF_DATE_CONFIGURATION_NEEDED: frozenset({_OLD, _CONFIGURE}),
}
_BY_TRAITS: Final = {traits: status for status, traits in _TRAITS.items()}


def worst(*standings: Standing) -> Standing:
    """The standing of a whole whose parts have these standings."""
    advisories = frozenset[str]().union(*(each.advisories for each in standings))
    statuses = {each.status for each in standings}
    # These two win over all others; revoked first, as it is what Intel itself says.
    for fatal in (TcbStatus.REVOKED, TcbStatus.UNSUPPORTED):
        if fatal in statuses:
            return Standing(fatal, advisories)
    relaunch = statuses - _TRAITS.keys()
    traits = frozenset[str]().union(*(_TRAITS[each] for each in statuses & _TRAITS.keys()))
    # Intel has no status for out of date with hardening needed: out of date says more.
    if _OLD in traits:
        traits -= {_HARDEN}
    if not relaunch or _OLD in traits:
        return Standing(_BY_TRAITS[traits], advisories)
    # `TcbStatus` is declared with the worst last.
    return Standing(max(relaunch, key=list(TcbStatus).index), advisories)


def _relaunch(
    info: TcbInfo, svns: bytes, statuses: Sequence[TcbStatus], converged: Standing
) -> Standing:
    """Whether a domain is out of date only because it was built under an older TDX module.

    Then the platform runs a current one by now, and building the domain again would do.
    """
    sgx, tdx, module, qe = statuses
    old = {TcbStatus.OUT_OF_DATE, TcbStatus.OUT_OF_DATE_CONFIGURATION_NEEDED}
    if module is not TcbStatus.OUT_OF_DATE or tdx not in old or not info.levels:
        return converged
    if sgx not in _TRAITS or sgx in old or qe not in _TRAITS or qe in old:
        return converged
    latest = info.levels[0].tdx
    needed = latest[0]
    if svns[1]:
        levels = _module(info, svns[1]).levels
        if not levels:
            return UNSUPPORTED
        needed = levels[0].isv_svn
    if svns[0] < needed or svns[2] < latest[2]:
        return converged
    if _CONFIGURE in _TRAITS[sgx] | _TRAITS[tdx]:
        return Standing(TcbStatus.TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED, converged.advisories)
    return Standing(TcbStatus.TD_RELAUNCH_ADVISED, converged.advisories)


def _module_standing(info: TcbInfo, report: TdReport) -> Standing:
    svn, version = report.tee_tcb_svn[:2]
    module = _module(info, version)
    attributes = _masked(report.seam_attributes, module.mask)
    if report.mrsignerseam != module.mrsigner or attributes != module.attributes:
        raise EvidenceError(
            Fault.ENCLAVE_IDENTITY,
            VerificationStage.COLLATERAL,
            "the TDX module's signer or attributes are not those that Intel's TCB info gives",
        )
    if version == 0:
        return Standing(TcbStatus.UP_TO_DATE)  # judged by the platform's level alone
    return _enclave_standing(svn, module.levels)


def _module(info: TcbInfo, version: int) -> TdxModule:
    wanted = f"TDX_{version:02X}" if version else ""
    module = next((each for each in info.modules if each.id == wanted), None)
    if module is None:
        raise EvidenceError(
            Fault.ENCLAVE_IDENTITY,
            VerificationStage.COLLATERAL,
            f"Intel's TCB info does not speak of TDX module {wanted!r}",
        )
    return module


def _reached(info: TcbInfo, platform: Platform) -> Iterable[PlatformLevel]:
    return (
        level
        for level in info.levels
        if _at_least(platform.svns, level.sgx) and platform.pce_svn >= level.pce_svn
    )


def _enclave_standing(svn: int, levels: Sequence[EnclaveLevel]) -> Standing:
    return next((each.standing for each in levels if svn >= each.isv_svn), UNSUPPORTED)


def _at_least(found: Sequence[int], needed: Sequence[int]) -> bool:
    return all(have >= want for have, want in zip(found, needed, strict=True))


def _masked(value: bytes, mask: bytes) -> bytes:
    return bytes(left & right for left, right in zip(value, mask, strict=True))
