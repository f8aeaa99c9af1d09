"""What the body of a verified quote says: measurements, attributes, and what is worrying there."""

from collections.abc import Iterator, Mapping
from typing import Final

from tabasco.verify.errors import Fault
from tabasco.verify.intel.quote import EnclaveReport, TdReport
from tabasco.verify.proven import Concern, Fact
from veracruz_utils.frozen import frozen

_SEPT_VE_DISABLE: Final = 28
_HARMLESS: Final = frozenset({_SEPT_VE_DISABLE, 27})  # 27: linear address space separation
_WEAK: Final = {
    29: ("tdx.migratable", "the domain may be moved to another platform"),
    30: ("tdx.pks", "the domain may use supervisor protection keys"),
    31: ("tdx.key-locker", "the domain may use Key Locker"),
    63: ("tdx.perfmon", "the domain may use performance monitoring"),
}
"""Bits of TDATTRIBUTES, and what each means for the domain."""
_TD_MEASUREMENTS: Final = (
    "mrtd",
    "mrseam",
    "mrsignerseam",
    "mrconfigid",
    "mrowner",
    "mrownerconfig",
)


@frozen
class Contents:
    """The part of what is proven that comes from a quote's body; as in `Proven`."""

    measurements: Mapping[str, bytes]
    facts: Mapping[str, Fact]
    debug: bool
    concerns: tuple[Concern, ...]


def contents_of(body: EnclaveReport | TdReport) -> Contents:
    """What a body says."""
    if isinstance(body, EnclaveReport):
        return _enclave(body)
    return _domain(body)


def _enclave(report: EnclaveReport) -> Contents:
    facts: dict[str, Fact] = {
        "isv_prod_id": report.isv_prod_id,
        "isv_svn": report.isv_svn,
        "attributes": report.attributes.hex(),
        "misc_select": report.misc_select.hex(),
        "config_id": report.config_id.hex(),
        "cpu_svn": report.cpu_svn.hex(),
    }
    measurements = {"mrenclave": report.mrenclave, "mrsigner": report.mrsigner}
    return Contents(measurements, facts, debug=report.debug, concerns=())


def _domain(report: TdReport) -> Contents:
    measurements = {name: getattr(report, name) for name in _TD_MEASUREMENTS}
    measurements |= {f"rtmr{number}": value for number, value in enumerate(report.rtmrs)}
    facts: dict[str, Fact] = {
        "tee_tcb_svn": report.tee_tcb_svn.hex(),
        "td_attributes": report.td_attributes.hex(),
        "seam_attributes": report.seam_attributes.hex(),
        "xfam": report.xfam.hex(),
    }
    if report.tee_tcb_svn_2 is not None and report.mrservicetd is not None:
        facts["tee_tcb_svn_2"] = report.tee_tcb_svn_2.hex()
        measurements["mrservicetd"] = report.mrservicetd
    # The whole first byte is TUD, the group of bits that put a domain under debug.
    debug = report.td_attributes[0] != 0
    return Contents(measurements, facts, debug, tuple(_domain_concerns(report)))


def _domain_concerns(report: TdReport) -> Iterator[Concern]:
    attributes = int.from_bytes(report.td_attributes, "little")
    if not attributes >> _SEPT_VE_DISABLE & 1:
        yield Concern(
            "tdx.sept-ve-disable-off",
            Fault.ATTRIBUTES,
            "the host may make the domain handle faults of its private pages",
        )
    for bit in range(8, 64):
        if attributes >> bit & 1 and bit not in _HARMLESS:
            unknown = (f"tdx.attribute-{bit}", f"bit {bit} of its attributes is unknown to us")
            name, detail = _WEAK.get(bit, unknown)
            yield Concern(name, Fault.ATTRIBUTES, detail)
    if report.mrservicetd is not None and any(report.mrservicetd):
        yield Concern(
            f"tdx.service-td={report.mrservicetd.hex()}",
            Fault.MEASUREMENT,
            "a service domain is bound to the domain",
        )
