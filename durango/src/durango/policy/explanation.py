"""What a policy means, in plain sentences: who gives, who learns, who decides, who sees what.

Every sentence is about what the isolate does under this policy, and nothing else: a reader who is
no engineer decides by them whether to sign.
"""

from collections.abc import Iterator

from durango._words import timestamp
from durango.policy.deciding import decides, mistakes
from durango.policy.exposure import delegate_sees, not_protected, tabasco_sees
from durango.policy.learning import gives, learns
from durango.policy.voice import Voice, listed
from veracruz_utils.frozen import frozen
from veracruz_utils.policy import Policy


@frozen
class Section:
    """One question and its answers.

    Attributes:
        key: for programs; stable.
        title: the question.
        lines: a sentence each.
    """

    key: str
    title: str
    lines: tuple[str, ...]


def sections_of(policy: Policy) -> tuple[Section, ...]:
    """The policy's meaning, question by question."""
    voice = Voice(policy)
    questions = (
        ("summary", "What this is", _summary),
        ("gives", "Who gives what", gives),
        ("learns", "Who learns what", learns),
        ("decides", "Who can start, repeat, replace, stop or end what", decides),
        ("delegate", "What the delegate's machine sees", delegate_sees),
        ("attestation_service", "What the attestation service sees", tabasco_sees),
        ("not_protected", "What is not protected", not_protected),
        ("mistakes", "What an honest mistake costs", mistakes),
    )
    return tuple(Section(key, title, tuple(answer(voice))) for key, title, answer in questions)


def _again(policy: Policy) -> Iterator[str]:
    """Whether a run can be done again."""
    if policy.conduct.deterministic:
        yield "Whoever has the program and the inputs can do a run again, and gets the same bytes."
    elif not policy.conduct.canonical_nans:
        yield (
            "A run cannot be done again to the byte: nobody is told the program's random numbers, "
            "and the bits of what is not a number (NaN) may differ from processor to processor."
        )


def _summary(voice: Voice) -> Iterator[str]:
    policy, program = voice.policy, voice.program
    people = voice.everybody
    many = f"{len(people)} principals take" if len(people) > 1 else "One principal takes"
    yield f"{many} part: {listed(people)}."
    if program is None:
        yield (
            f"They run a program that {voice.author} gives, with digest "
            f"{policy.program_digest}; it is none of those shipped with Veracruz, so what it "
            "does has to be asked of its author or read in its source."
        )
    else:
        yield f"They run the program {program.name}: {program.summary}."
    yield (
        f"It runs in an isolate on the delegate's machine, reached at {policy.sinaloa}; "
        f"the attestation service at {policy.tabasco} vouches for it."
    )
    yield from _again(policy)
    ends = timestamp(policy.expires_at)
    yield f"All of it ends at {ends} at the latest, with everything in it."
    yield f"The digest of this policy is {policy.digest}; everybody must have this very one."
