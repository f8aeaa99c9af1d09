"""Who can start, repeat, replace, stop or end what, and what a mistake costs, in sentences."""

from collections.abc import Iterator

from durango._say import joined, say, say_many
from durango._words import timestamp
from durango.policy.voice import Voice, either, listed, rounds, span


def decides(voice: Voice) -> Iterator[str]:
    """Who can do what."""
    yield from _before_a_run(voice)
    yield from _runs(voice)
    yield from _rounds(voice)
    yield from _ends(voice)


def mistakes(voice: Voice) -> Iterator[str]:
    """What an honest mistake costs."""
    policy, conduct = voice.policy, voice.policy.conduct
    until = (
        say("until there is a result, also after a run that failed")
        if conduct.attempts > 1
        else say("until there is a result")
    )
    if policy.data_provision_order:
        later = (
            say("it counts and stays in every round") if conduct.rounds > 1 else say("it counts")
        )
        yield say(
            "A wrong file as input: its sender can replace it {until}. Afterwards {later}; only "
            "another computation takes another.",
            until=until,
            later=later,
        )
    if policy.streaming_order:
        yield _wrong_stream_item(voice)
    yield say("A wrong program: it is refused by its digest, and nothing is lost.")
    yield say(
        "A program with a fault, or one that the isolate cannot compile within the limits: another "
        "has another digest, and takes another policy that everybody agrees on."
    )
    yield _failed_run(voice)
    if conduct.rounds > 1:
        yield say(
            "A result that its reader lost: it can be fetched again, and is the same, until the "
            "next round begins or all of it ends."
        )
    else:
        yield say(
            "A result that its reader lost: it can be fetched again, and is the same, until all of "
            "it ends."
        )
    yield from _lost_keys(voice)
    yield say(
        "A bridge that ends: the isolate waits {span} for another. A machine or an isolate that "
        "ends: everything in it is gone, and everybody sends again.",
        span=span(policy.limits.detached_seconds),
    )
    yield say(
        "A policy that ends ({moment}): everything is gone.", moment=timestamp(policy.expires_at)
    )


def _wrong_stream_item(voice: Voice) -> str:
    conduct = voice.policy.conduct
    until = (
        say("until its round has a result, also after a run that failed")
        if conduct.attempts > 1
        else say("until its round has a result")
    )
    later = say("the next round takes a new one") if conduct.rounds > 1 else say("it counts")
    return say(
        "A wrong file as stream item: its sender can replace it {until}. Afterwards {later}.",
        until=until,
        later=later,
    )


def _before_a_run(voice: Voice) -> Iterator[str]:
    conduct = voice.policy.conduct
    if conduct.consent is None:
        yield say("Nobody has to sign this policy before the isolate takes data.")
    else:
        yield say(
            "The isolate takes no data before {who} signed this policy, and runs nothing; whoever "
            "signed can take it back until the first run.",
            who=voice.agreement(conduct.consent),
        )
    if providers := voice.providers:
        own = say("input or stream item") if voice.policy.streaming_order else say("input")
        yield say(
            "{who} may replace or withdraw an own {own} as long as there is no result of it, and "
            "not while the program runs.",
            who=listed(providers),
            own=own,
        )


def _runs(voice: Voice) -> Iterator[str]:
    conduct, who = voice.policy.conduct, either(voice.readers)
    yield say("{who} starts the run by asking for the result.", who=who)
    if conduct.attempts > 1:
        tells = say("whether it failed") if voice.private else say("how it ended")
        yield say(
            "After a run that failed the inputs stay and may be replaced; the program may be run "
            "{number} times in a round, and each attempt tells everybody {what}.",
            number=conduct.attempts,
            what=tells,
        )
        if voice.order:
            yield say(
                "{who} can ask for another attempt over the same inputs, but for the last, which "
                "is kept for inputs that have changed.",
                who=who,
            )
        else:
            yield say("{who} can ask for another attempt over the same inputs.", who=who)


def _rounds(voice: Voice) -> Iterator[str]:
    conduct = voice.policy.conduct
    if conduct.rounds == 1:
        yield say("There is one round, and never another.")
        return
    agreement = conduct.next_round
    begin = say_many(
        1 if len(agreement.of) == 1 or agreement.least == 1 else 2,
        "{who} begins another",
        "{who} begin another",
        who=voice.agreement(agreement),
    )
    if voice.private:
        yield say(
            "There may be {rounds}; {begin}, as long as the privacy budget pays for it.",
            rounds=rounds(conduct.rounds),
            begin=begin,
        )
    else:
        yield say("There may be {rounds}; {begin}.", rounds=rounds(conduct.rounds), begin=begin)
    if voice.policy.streaming_order:
        yield say(
            "Another round has the same program and the same inputs; stream items are given anew."
        )
    else:
        yield say("Another round has the same program and the same inputs.")


def _ends(voice: Voice) -> Iterator[str]:
    policy, readers = voice.policy, voice.readers
    if len(readers) > 1:
        yield say("{who} can end all of it, when all of them ask.", who=listed(readers))
    else:
        yield say("{who} can end all of it, alone.", who=readers[0])
    missing = list(dict.fromkeys([voice.author, *voice.providers]))
    ways: list[str] = [
        say("{who} can keep the run from happening by not sending", who=either(missing))
    ]
    consent = policy.conduct.consent
    if consent is not None and consent.least == len(consent.of):
        who = [voice.named(number) for number in sorted(consent.of)]
        ways.append(say("{who} by not signing", who=either(who)))
    ways.append(
        say("{who} by not asking", who=readers[0])
        if len(readers) == 1
        else say("the readers by not asking, together")
    )
    yield say("{ways}; the delegate can stop everything at any time.", ways=joined(ways, ", "))
    yield say(
        "It ends by itself when nobody is connected and nothing runs for {span}, and at {moment}.",
        span=span(policy.limits.idle_seconds),
        moment=timestamp(policy.expires_at),
    )
    yield say("Nobody can change this policy: a change is another policy, and another computation.")


def _failed_run(voice: Voice) -> str:
    left = voice.policy.conduct.attempts - 1
    if left:
        further = say_many(
            left, "{number} further attempt", "{number} further attempts", number=format(left, ",")
        )
        if voice.private:
            return say(
                "A run that fails: {further} in the round, with the inputs that are there; after "
                "the last the computation is over, and has to be started anew. Each is paid for "
                "from the privacy budget.",
                further=further,
            )
        return say(
            "A run that fails: {further} in the round, with the inputs that are there; after the "
            "last the computation is over, and has to be started anew.",
            further=further,
        )
    if voice.of_2021:
        return say(
            "A run that fails: the computation is over, and has to be started anew. An error code "
            "of the program is no failure but an outcome, which readers are told."
        )
    return say("A run that fails: the computation is over, and has to be started anew.")


def _lost_keys(voice: Voice) -> Iterator[str]:
    yield say(
        "A lost key or an ended certificate: that principal can send and fetch nothing more, and "
        "what it sent stays. A new key takes another policy; the others go on."
    )
    if len(voice.readers) == 1 and len(voice.policy.identities) > 1:
        yield say("If it is the key of {who}, nobody gets a result any more.", who=voice.readers[0])
