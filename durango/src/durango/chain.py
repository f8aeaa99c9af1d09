"""What vouches for what: from the hardware root to the machine, and from there to the isolate.

Two chains meet in the key of the root attester (Sonora). The attestation service enrolled that key
by evidence of the hardware, which measured the machine; and the key signed what runtime the isolate
is, what policy it holds and which key it speaks with.
"""

from collections.abc import Mapping

from durango._say import say
from durango._words import printable
from durango.evidence import Attestation, MeasuredRegister
from durango.platforms import SOFTWARE_ROOT_STATEMENT
from veracruz_utils.frozen import frozen
from veracruz_utils.policy import LINUX_SOFTWARE, REGISTER_BANKS


@frozen
class ChainLink:
    """One link of the two chains.

    Attributes:
        name: what it is.
        found: what it was found to be.
        because: what stands behind that.
    """

    name: str
    found: str
    because: str

    @property
    def facts(self) -> dict[str, str]:
        """For programs; the keys are stable."""
        return {"link": self.name, "found": self.found, "because": self.because}


def measured_machine(
    platform: str, told: Mapping[str, bytes], pinned: frozenset[str]
) -> tuple[MeasuredRegister, ...]:
    """The registers of this platform that a result tells, in their order; others mean nothing."""
    bank = REGISTER_BANKS.get(platform)
    names = () if bank is None else bank.names
    return tuple(
        MeasuredRegister(name, told[name], pinned=name in pinned) for name in names if name in told
    )


def chain_of(attestation: Attestation) -> tuple[ChainLink, ...]:
    """The links, from the hardware root to the isolate."""
    return (
        _root(attestation),
        *_machine(attestation),
        ChainLink(
            say("Sonora's key"),
            say("instance {digest}", digest=attestation.instance_id.hex()),
            say("enrolled by that evidence, says {verifier}", verifier=attestation.verifier),
        ),
        ChainLink(
            say("runtime image"),
            say("measurement {digest}", digest=attestation.measurement.hex()),
            say("signed by Sonora's key; a measurement that the policy names"),
        ),
        ChainLink(
            say("isolate"),
            say(
                "policy {policy}, TLS certificate {certificate}",
                policy=str(attestation.policy_digest),
                certificate=str(attestation.certificate_digest),
            ),
            say(
                "signed by Sonora's key; the policy is mine, the certificate the only one accepted"
            ),
        ),
    )


def chain_lines(attestation: Attestation) -> list[str]:
    """The links for people, each on two lines."""
    links = chain_of(attestation)
    width = max(len(link.name) for link in links)
    lines = []
    for number, link in enumerate(links):
        mark = "   " if number == 0 else "-> "
        lines += [f"{mark}{link.name:<{width}}  {link.found}", f"   {'':<{width}}  {link.because}"]
    return lines


def _root(attestation: Attestation) -> ChainLink:
    if attestation.platform == LINUX_SOFTWARE:
        return ChainLink(
            say("hardware root"),
            say("none: {platform}", platform=LINUX_SOFTWARE),
            SOFTWARE_ROOT_STATEMENT,
        )
    return ChainLink(
        say("hardware root"),
        printable(attestation.platform),
        say(
            "its evidence was verified when Sonora's key enrolled, says {verifier}",
            verifier=attestation.verifier,
        ),
    )


def _machine(attestation: Attestation) -> list[ChainLink]:
    pinned = [each for each in attestation.machine if each.pinned]
    links = [
        ChainLink(
            say("machine"),
            f"{each.name} {each.value.hex()}",
            say("measured by the hardware; one of the values that the policy names"),
        )
        for each in pinned
    ]
    others = [each.name for each in attestation.machine if not each.pinned]
    if others:
        because = say(
            "measured by the hardware; which values are accepted, the attestation service decides"
        )
        links.append(
            ChainLink(
                say("machine"), say("also measured: {others}", others=", ".join(others)), because
            )
        )
    if not links:
        links.append(
            ChainLink(
                say("machine"), say("nothing is told of it"), _why_untold(attestation.platform)
            )
        )
    return links


def _why_untold(platform: str) -> str:
    if platform in REGISTER_BANKS:
        return say("the attestation service is older than that, or Sonora enrolled when it was")
    return say("nothing measures a machine on {platform}", platform=printable(platform))
