"""Who can start, repeat, replace, stop or end what, and what a mistake costs, in sentences."""

from collections.abc import Iterator

from durango._words import timestamp
from durango.policy.voice import Voice, counted, listed, span


def decides(voice: Voice) -> Iterator[str]:
    """Who can do what."""
    yield from _before_a_run(voice)
    yield from _runs(voice)
    yield from _rounds(voice)
    yield from _ends(voice)


def mistakes(voice: Voice) -> Iterator[str]:
    """What an honest mistake costs."""
    policy, conduct = voice.policy, voice.policy.conduct
    attempts = ", also after a run that failed" if conduct.attempts > 1 else ""
    if policy.data_provision_order:
        later = " and stays in every round" if conduct.rounds > 1 else ""
        yield (
            f"A wrong file as input: its sender can replace it until there is a result{attempts}. "
            f"Afterwards it counts{later}; only another computation takes another."
        )
    if policy.streaming_order:
        later = "the next round takes a new one" if conduct.rounds > 1 else "it counts"
        yield (
            f"A wrong file as stream item: its sender can replace it until its round has a "
            f"result{attempts}. Afterwards {later}."
        )
    yield "A wrong program: it is refused by its digest, and nothing is lost."
    yield (
        "A program with a fault, or one that the isolate cannot compile within the limits: another "
        "has another digest, and takes another policy that everybody agrees on."
    )
    yield _failed_run(voice)
    yield (
        "A result that its reader lost: it can be fetched again, and is the same, "
        f"{'until the next round begins or' if conduct.rounds > 1 else 'until'} all of it ends."
    )
    yield from _lost_keys(voice)
    yield (
        f"A bridge that ends: the isolate waits {span(policy.limits.detached_seconds)} for "
        "another. A machine or an isolate that ends: everything in it is gone, and everybody "
        "sends again."
    )
    yield f"A policy that ends ({timestamp(policy.expires_at)}): everything is gone."


def _before_a_run(voice: Voice) -> Iterator[str]:
    conduct = voice.policy.conduct
    if conduct.consent is None:
        yield "Nobody has to sign this policy before the isolate takes data."
    else:
        yield (
            f"The isolate takes no data before {voice.agreement(conduct.consent)} signed this "
            "policy, and runs nothing; whoever signed can take it back until the first run."
        )
    if providers := voice.providers:
        own = "input" if not voice.policy.streaming_order else "input or stream item"
        yield (
            f"{listed(providers)} may replace or withdraw an own {own} as long as there is no "
            "result of it, and not while the program runs."
        )


def _runs(voice: Voice) -> Iterator[str]:
    conduct = voice.policy.conduct
    yield f"{listed(voice.readers, 'or')} starts the run by asking for the result."
    if conduct.attempts > 1:
        tells = "whether it failed" if voice.private else "how it ended"
        yield (
            f"After a run that failed the inputs stay and may be replaced; the program may be "
            f"run {conduct.attempts} times in a round, and each attempt tells everybody "
            f"{tells}."
        )
        kept = ", but for the last, which is kept for inputs that have changed"
        yield (
            f"{listed(voice.readers, 'or')} can ask for another attempt over the same inputs"
            f"{kept if voice.order else ''}."
        )


def _rounds(voice: Voice) -> Iterator[str]:
    conduct = voice.policy.conduct
    if conduct.rounds == 1:
        yield "There is one round, and never another."
        return
    who, agreement = voice.agreement(conduct.next_round), conduct.next_round
    begins = "begins" if len(agreement.of) == 1 or agreement.least == 1 else "begin"
    paid = ", as long as the privacy budget pays for it" if voice.private else ""
    anew = "; stream items are given anew" if voice.policy.streaming_order else ""
    yield f"There may be {counted(conduct.rounds, 'round')}; {who} {begins} another{paid}."
    yield f"Another round has the same program and the same inputs{anew}."


def _ends(voice: Voice) -> Iterator[str]:
    policy, readers = voice.policy, voice.readers
    if len(readers) > 1:
        yield f"{listed(readers)} can end all of it, when all of them ask."
    else:
        yield f"{readers[0]} can end all of it, alone."
    missing = list(dict.fromkeys([voice.author, *voice.providers]))
    ways = [f"{listed(missing, 'or')} can keep the run from happening by not sending"]
    consent = policy.conduct.consent
    if consent is not None and consent.least == len(consent.of):
        who = [voice.named(number) for number in sorted(consent.of)]
        ways.append(f"{listed(who, 'or')} by not signing")
    ways.append(
        f"{readers[0]} by not asking"
        if len(readers) == 1
        else "the readers by not asking, together"
    )
    yield f"{', '.join(ways)}; the delegate can stop everything at any time."
    yield (
        "It ends by itself when nobody is connected and nothing runs for "
        f"{span(policy.limits.idle_seconds)}, and at {timestamp(policy.expires_at)}."
    )
    yield "Nobody can change this policy: a change is another policy, and another computation."


def _failed_run(voice: Voice) -> str:
    left = voice.policy.conduct.attempts - 1
    paid = " Each is paid for from the privacy budget." if voice.private and left else ""
    if left:
        further = counted(left, "further attempt")
        return (
            f"A run that fails: {further} in the round, with the inputs that are there; after the "
            f"last the computation is over, and has to be started anew.{paid}"
        )
    if voice.of_2021:
        return (
            "A run that fails: the computation is over, and has to be started anew. An error code "
            "of the program is no failure but an outcome, which readers are told."
        )
    return "A run that fails: the computation is over, and has to be started anew."


def _lost_keys(voice: Voice) -> Iterator[str]:
    yield (
        "A lost key or an ended certificate: that principal can send and fetch nothing more, and "
        "what it sent stays. A new key takes another policy; the others go on."
    )
    if len(voice.readers) == 1 and len(voice.policy.identities) > 1:
        yield f"If it is the key of {voice.readers[0]}, nobody gets a result any more."
