"""Rules about accepted platforms and runtimes, and about who vouches for them."""

from collections.abc import Iterator
from typing import Final

from durango._words import layer_names
from durango.platforms import protection
from durango.policy.rules.rule import Checked, Severity, rule
from durango.releases import HOW_TO_TRUST
from veracruz_utils.digest import Digest
from veracruz_utils.policy import (
    LINUX_SOFTWARE,
    RUNTIME_LAYERS,
)

_LOOPBACK: Final = ("127.", "localhost", "::1")


@rule(
    "P201", Severity.WARNING, "a platform without hardware",
    "accept it only if you trust the owner of the delegate's machine",
)  # fmt: skip
def _software(checked: Checked) -> Iterator[str]:
    for platform in checked.policy.platforms:
        if platform.name == LINUX_SOFTWARE:
            yield f"platform {platform.name} is {protection(platform.name)}"


@rule(
    "P202", Severity.WARNING, "hardware and software platforms mixed",
    "the weakest counts: leave the software platform out",
)  # fmt: skip
def _mixed(checked: Checked) -> Iterator[str]:
    names = [platform.name for platform in checked.policy.platforms]
    if LINUX_SOFTWARE in names and len(names) > 1:
        others = ", ".join(name for name in names if name != LINUX_SOFTWARE)
        yield f"it accepts {LINUX_SOFTWARE} beside {others}"


@rule("P203", Severity.ERROR, "no platform is accepted", "write one that names a measurement")
def _no_platform(checked: Checked) -> Iterator[str]:
    if not checked.policy.platforms:
        yield "it names no measurement of any runtime: attestation will refuse them all"


@rule("P204", Severity.ERROR, "a digest of zeros", "take the measurement or digest of a real file")
def _zeros(checked: Checked) -> Iterator[str]:
    for platform in checked.policy.platforms:
        if any(not any(value) for value in platform.measurements):
            yield f"a measurement accepted on {platform.name} is all zeros, of no real runtime"
    digest = checked.policy.program_digest
    if not any(digest.value) or digest == Digest.of(b""):
        yield "the program's digest is all zeros, or that of an empty file"


@rule(
    "P205", Severity.WARNING, "a measurement of no known release",
    "ask who wrote the policy which runtime it is, or build the image yourself",
)  # fmt: skip
def _unknown_release(checked: Checked) -> Iterator[str]:
    if checked.trusts_releases:
        for each in checked.pinned:
            if each.known is None:
                yield (
                    f"measurement {each.measurement.hex()}, accepted on {each.platform}, belongs "
                    "to no release that is known here"
                )


@rule("P206", Severity.WARNING, "no key for releases is trusted here", HOW_TO_TRUST)
def _no_release_key(checked: Checked) -> Iterator[str]:
    if checked.pinned and not checked.trusts_releases:
        yield (
            "whether its measurements are those of releases is not known, for no key for releases "
            "is trusted here"
        )


@rule("P207", Severity.WARNING, "no isolation is asked for", "ask for the layers of the runtime")
def _no_isolation(checked: Checked) -> Iterator[str]:
    if not checked.policy.isolation:
        yield (
            "it asks for no layer of isolation: an isolate that nothing keeps apart from its host "
            "is accepted"
        )


@rule(
    "P208", Severity.WARNING, "less isolation than the runtime gives",
    "ask for all layers of the runtime",
)  # fmt: skip
def _less_isolation(checked: Checked) -> Iterator[str]:
    missing = RUNTIME_LAYERS - checked.policy.isolation
    if checked.policy.isolation and missing:
        yield f"it does not ask for {layer_names(missing)}: an isolate without is accepted"


@rule(
    "P209", Severity.WARNING, "no key of the attestation service",
    "get it from a source that you trust and give it with --tabasco-key",
)  # fmt: skip
def _no_tabasco_key(checked: Checked) -> Iterator[str]:
    if checked.policy.tabasco_key is None:
        yield "it names no key of the attestation service"


@rule("P210", Severity.NOTE, "addresses of one machine", "name the machines that others can reach")
def _loopback(checked: Checked) -> Iterator[str]:
    for name, address in (("sinaloa", checked.policy.sinaloa), ("tabasco", checked.policy.tabasco)):
        if str(address.host).startswith(_LOOPBACK):
            yield f"{name} is at {address}, which is this machine for everybody"
