"""What each kind of isolate protects against, and what not, in plain words."""

from collections.abc import Mapping
from typing import Final

from durango._say import joined, say
from veracruz_utils.policy import LINUX_SOFTWARE

SOFTWARE_ROOT_STATEMENT: Final = say(
    "a software root of trust: it protects nothing against the owner of the machine it runs on"
)
"""Said wherever an output mentions this platform."""

_LEAKS: Final = say("What such hardware is known to leak (power, timing, caches) is not kept in.")
_UNTRIED: Final = say("This source of evidence has not run on hardware yet.")


def _virtual_machine(hardware: str, *more: str) -> str:
    whom = say(
        "whoever can log in to the protected machine, or made the image it was started from, can "
        "read and change everything in the isolate; the owner of the host is kept out as far as "
        "{hardware} and its vendor go.",
        hardware=hardware,
    )
    return joined([whom, _LEAKS, _UNTRIED, *more], " ")


_NOT_PROTECTED: Final[Mapping[str, str]] = {
    LINUX_SOFTWARE: say(
        "whoever owns the delegate's machine can read and change everything in the isolate. It "
        "keeps out the bridge and other users of that machine, and nobody else."
    ),
    "sev-snp": _virtual_machine(say("the AMD processor")),
    "tdx": _virtual_machine(say("the Intel processor")),
    "nitro": _virtual_machine(say("AWS, who runs both the host and the hypervisor,")),
    "arm-cca": _virtual_machine(
        say("the Arm processor"), say("Its key is believed because somebody registered it.")
    ),
    "sgx": joined(
        [
            say(
                "what the enclave asks of its host is not kept from the host, and its owner is "
                "kept out as far as the Intel processor and its vendor go."
            ),
            _LEAKS,
            say("Isolates do not run in such enclaves yet."),
        ],
        " ",
    ),
    "tpm": joined(
        [
            say(
                "whoever owns the delegate's machine can read and change everything in the "
                "isolate. A TPM shows what the machine was started from, and protects no memory."
            ),
            _UNTRIED,
        ],
        " ",
    ),
    "trustzone": say(
        "nothing is known here of how strong it is: no part of Veracruz makes evidence of this "
        "kind yet, so that no isolate of it will be found."
    ),
}


def protection(platform: str) -> str:
    """What somebody who accepts `platform` relies on; half a sentence."""
    if platform == LINUX_SOFTWARE:
        return SOFTWARE_ROOT_STATEMENT
    return say(
        "as strong as the native evidence that the policy's attestation service checks for it"
    )


def is_known(platform: str) -> bool:
    """Whether anything is known here of a platform of this name."""
    return platform in _NOT_PROTECTED


def known_platforms() -> tuple[str, ...]:
    """The names of those of which something is known here."""
    return tuple(_NOT_PROTECTED)


def not_protected_on(platform: str) -> str:
    """From whom an isolate on `platform` is not safe; sentences, the first without its capital."""
    unknown = say(
        "nothing is known here of how strong it is. It is {protection}; ask whoever wrote the "
        "policy what that is. {leaks}",
        protection=protection(platform),
        leaks=_LEAKS,
    )
    return _NOT_PROTECTED.get(platform, unknown)
