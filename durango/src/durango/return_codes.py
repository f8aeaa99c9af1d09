"""What a program's error codes mean: of shipped programs, and by the convention of all others."""

from typing import Final

from colima.runtime import ContentKind
from durango.input_places import places
from durango.policy.known_programs import known_program
from veracruz_utils.policy import OPAQUE, Policy
from veracruz_utils.refused_inputs import refused_input_of

_CONVENTION: Final = {
    -1: "any error",
    -2: "another number of inputs or streams than it works on",
    -3: "an input of another size than it works on",
    -4: "an input that does not decode",
    -5: "a broken assumption, or a result that cannot be written",
    -6: "something that it does not do",
    -7: "no random numbers now",
}
"""The codes that programs return by their guest library; see docs/reference/guest-abi.md."""

_ABOUT_INPUTS: Final = "decode"


def meaning_of(code: int, policy: Policy) -> str | None:
    """What an error code of the policy's program means, and whose inputs it may be about.

    None if that is not known: of another program's codes outside the convention.
    """
    if policy.result.privacy is not None:
        return "under the policy's privacy a program's code is not told, only that it failed"
    known = known_program(policy.program_digest)
    refused = refused_input_of(code)
    if refused is not None and (known is None or code not in known.codes):
        return refused.words(policy)
    if known is not None and code in known.codes:
        meaning = f"of {known.name} that means: {known.codes[code]}"
    elif code in _CONVENTION:
        meaning = f"by the convention of the guest libraries that is {_CONVENTION[code]}"
    else:
        return None
    return meaning + _suspects(policy) if _ABOUT_INPUTS in meaning else meaning


def _suspects(policy: Policy) -> str:
    """Whose inputs nobody could hold against a type before they were sent."""
    unknown = [
        f"{place.label} of {place.owner}"
        for kind in (ContentKind.DATA, ContentKind.STREAM)
        for place in places(policy, kind)
        if place.terms.type == OPAQUE
    ]
    if not unknown:
        return ""
    more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
    return f" (the policy says no type for {', '.join(unknown[:5])}{more})"
