"""Rules about accepted platforms and runtimes, and about who vouches for them."""

from collections.abc import Iterator

from durango._words import layer_names
from durango.platforms import is_known, known_platforms, protection
from durango.policy.rules.rule import Checked, Severity, rule
from durango.releases import HOW_TO_TRUST
from veracruz_utils.digest import Digest
from veracruz_utils.policy import (
    LINUX_SOFTWARE,
    REGISTER_BANKS,
    RUNTIME_LAYERS,
)


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
        if address.is_loopback:
            yield f"{name} is at {address}, which is this machine for everybody"


@rule(
    "P211", Severity.ERROR, "one address for bridge and attestation service",
    "ask each of their operators where it listens",
)  # fmt: skip
def _one_address(checked: Checked) -> Iterator[str]:
    if checked.policy.sinaloa == checked.policy.tabasco:
        yield f"sinaloa and tabasco are both at {checked.policy.sinaloa}: one of them is not there"


@rule(
    "P212", Severity.WARNING, "the delegate vouches for itself",
    "have the attestation service run by somebody else than the delegate",
)  # fmt: skip
def _one_host(checked: Checked) -> Iterator[str]:
    bridge, service = checked.policy.sinaloa, checked.policy.tabasco
    if bridge.host == service.host and bridge != service and not bridge.is_loopback:
        yield f"bridge and attestation service are on one machine, {bridge.host}"


@rule(
    "P213", Severity.WARNING, "a platform of which nothing is known",
    f"it is a slip, or ask who wrote the policy; known are {', '.join(known_platforms())}",
)  # fmt: skip
def _unknown_platform(checked: Checked) -> Iterator[str]:
    for platform in checked.policy.platforms:
        if not is_known(platform.name):
            yield f"platform {platform.name} is none that is known here"


@rule(
    "P214", Severity.NOTE, "a machine that the attestation service alone accepts",
    "name what the machine must have been started from: `sonora machine measure`, then "
    "`durango policy new --machine`",
)  # fmt: skip
def _any_machine(checked: Checked) -> Iterator[str]:
    for platform in checked.policy.platforms:
        if platform.name in REGISTER_BANKS and not platform.machine:
            yield f"platform {platform.name} pins nothing of what hardware measures of its machine"
