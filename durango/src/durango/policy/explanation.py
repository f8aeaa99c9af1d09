"""What a policy means, in plain sentences: who gives, who learns, who decides, who sees what.

Every sentence is about what the isolate does under this policy, and nothing else: a reader who is
no engineer decides by them whether to sign.
"""

from collections.abc import Iterator

from durango._say import say, say_many
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
        ("summary", say("What this is"), _summary),
        ("gives", say("Who gives what"), gives),
        ("learns", say("Who learns what"), learns),
        ("decides", say("Who can start, repeat, replace, stop or end what"), decides),
        ("delegate", say("What the delegate's machine sees"), delegate_sees),
        ("attestation_service", say("What the attestation service sees"), tabasco_sees),
        ("not_protected", say("What is not protected"), not_protected),
        ("mistakes", say("What an honest mistake costs"), mistakes),
    )
    return tuple(Section(key, title, tuple(answer(voice))) for key, title, answer in questions)


def _again(policy: Policy) -> Iterator[str]:
    """Whether a run can be done again."""
    if policy.conduct.deterministic:
        yield say(
            "Whoever has the program and the inputs can do a run again, and gets the same bytes."
        )
    elif not policy.conduct.canonical_nans:
        yield say(
            "A run cannot be done again to the byte: nobody is told the program's random numbers, "
            "and the bits of what is not a number (NaN) may differ from processor to processor."
        )


def _summary(voice: Voice) -> Iterator[str]:
    policy, program = voice.policy, voice.program
    people = voice.everybody
    yield say_many(
        len(people),
        "One principal takes part: {all}.",
        "{number} principals take part: {all}.",
        number=len(people),
        all=listed(people),
    )
    if program is None:
        yield say(
            "They run a program that {author} gives, with digest {digest}; it is none of those "
            "shipped with Veracruz, so what it does has to be asked of its author or read in its "
            "source.",
            author=voice.author,
            digest=str(policy.program_digest),
        )
    else:
        yield say(
            "They run the program {program}: {summary}.",
            program=program.name,
            summary=say(program.summary),
        )
    yield say(
        "It runs in an isolate on the delegate's machine, reached at {sinaloa}; the attestation "
        "service at {tabasco} vouches for it.",
        sinaloa=str(policy.sinaloa),
        tabasco=str(policy.tabasco),
    )
    yield from _again(policy)
    ends = timestamp(policy.expires_at)
    yield say("All of it ends at {moment} at the latest, with everything in it.", moment=ends)
    yield say(
        "The digest of this policy is {digest}; everybody must have this very one.",
        digest=str(policy.digest),
    )
