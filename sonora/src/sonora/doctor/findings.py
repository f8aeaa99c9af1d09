"""What the doctor finds: a thing, whether it is there, what it means, and what to do."""

from enum import StrEnum

from veracruz_utils.frozen import frozen
from veracruz_utils.policy import RUNTIME_LAYERS, IsolationLayer


class FindingState(StrEnum):
    """How a thing stands."""

    GOOD = "good"
    MISSING = "missing"
    """It is not there, and isolates are the weaker for it, or cannot do something."""
    NOTE = "note"
    """Nothing is wrong; it is good to know."""


@frozen
class HostFinding:
    """One thing that was looked at.

    Attributes:
        name: what it is.
        state: how it stands.
        found: what was seen, in a few words.
        means: what it is for.
        remedy: what to do, if there is something to do.
        layer: the layer of isolation that it is, if it is one.
        needed: nothing goes without it.
    """

    name: str
    state: FindingState
    found: str
    means: str
    remedy: str = ""
    layer: IsolationLayer | None = None
    needed: bool = False

    @property
    def required(self) -> bool:
        """Whether a policy with the default terms is not served without it."""
        return self.needed or self.layer in RUNTIME_LAYERS

    @property
    def is_wrong(self) -> bool:
        """Whether it has to be mended."""
        return self.required and self.state is not FindingState.GOOD

    def as_json(self) -> dict[str, object]:
        """For programs."""
        return {
            "name": self.name,
            "state": self.state,
            "found": self.found,
            "means": self.means,
            "remedy": self.remedy,
            "layer": self.layer,
            "required": self.required,
        }

    def as_text(self) -> str:
        """For people: a line, and where something is to be done what and why."""
        lines = [f"{self.state:8} {self.name:22} {self.found}"]
        if self.state is not FindingState.GOOD:
            lines.append(f"{'':9}{self.means}")
            if self.remedy:
                lines.append(f"{'':9}-> {self.remedy}")
        return "\n".join(lines)


@frozen
class Diagnosis:
    """All findings, in the order in which they were made."""

    findings: tuple[HostFinding, ...]

    @property
    def layers(self) -> frozenset[IsolationLayer]:
        """The layers that this host gives."""
        good = (each for each in self.findings if each.state is FindingState.GOOD)
        return frozenset(each.layer for each in good if each.layer is not None)

    @property
    def complete(self) -> bool:
        """Whether nothing is missing that a policy with the default terms requires."""
        return all(each.state is FindingState.GOOD for each in self.findings if each.required)

    def as_json(self) -> dict[str, object]:
        """For programs."""
        return {
            "complete": self.complete,
            "layers": sorted(self.layers),
            "findings": [each.as_json() for each in self.findings],
        }

    def as_text(self) -> str:
        """For people."""
        missing = [each.name for each in self.findings if each.required and each not in self._good]
        end = (
            "policies with the default terms are served here"
            if self.complete
            else f"principals refuse this host by a policy of default terms: {', '.join(missing)}"
        )
        return "\n".join([*(each.as_text() for each in self.findings), "", end])

    @property
    def _good(self) -> list[HostFinding]:
        return [each for each in self.findings if each.state is FindingState.GOOD]
