"""Which runtimes a policy accepts, told by the releases that a principal knows."""

from collections.abc import Sequence

from durango.releases import KnownRelease, Releases
from veracruz_utils.frozen import frozen
from veracruz_utils.policy import Policy


@frozen
class PinnedRuntime:
    """A measurement that a policy accepts.

    Attributes:
        platform: on which kind of isolate.
        measurement: the value.
        known: the release that it belongs to, if a known one.
        architecture: for which machines that release's image is.
    """

    platform: str
    measurement: bytes
    known: KnownRelease | None = None
    architecture: str | None = None

    @property
    def facts(self) -> dict[str, object]:
        """For programs; the keys are stable."""
        return {
            "platform": self.platform,
            "measurement": self.measurement.hex(),
            "release": self.known.release.version if self.known else None,
            "architecture": self.architecture,
            "signed_by": str(self.known.signed_by) if self.known else None,
        }


def pinned_runtimes(policy: Policy, releases: Releases | None) -> list[PinnedRuntime]:
    """Every measurement of the policy, with the release that it belongs to.

    Raises:
        ReleaseError: the trusted keys cannot be relied on.
    """
    found = []
    for platform in policy.platforms:
        for measurement in sorted(platform.measurements):
            told = None if releases is None else releases.of_measurement(measurement)
            known, architecture = told or (None, None)
            found.append(PinnedRuntime(platform.name, measurement, known, architecture))
    return found


def describe_runtimes(pinned: Sequence[PinnedRuntime]) -> list[str]:
    """A line for each that is of a known release."""
    return [
        f"{each.measurement.hex()} is release {each.known.release.version} for "
        f"{each.architecture}, says {each.known.release.signer!r} "
        f"(key {each.known.signed_by.short})"
        for each in pinned
        if each.known
    ]
