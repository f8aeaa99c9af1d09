"""What each kind of isolate protects against, in plain words."""

from typing import Final

from veracruz_utils.policy import LINUX_SOFTWARE

SOFTWARE_ROOT_STATEMENT: Final = (
    "a software root of trust: it protects nothing against the owner of the machine it runs on"
)
"""Said wherever an output mentions this platform."""


def protection(platform: str) -> str:
    """What somebody who accepts `platform` relies on; half a sentence."""
    if platform == LINUX_SOFTWARE:
        return SOFTWARE_ROOT_STATEMENT
    return "as strong as the native evidence that the policy's attestation service checks for it"
