"""What those see who are not trusted, and what is not protected, in plain sentences."""

from collections.abc import Iterator

from durango._say import say
from durango._words import layer_names
from durango.platforms import not_protected_on
from durango.policy.voice import Voice, listed
from veracruz_utils.policy import (
    LINUX_SOFTWARE,
    REGISTER_BANKS,
    RUNTIME_LAYERS,
    AcceptedPlatform,
)


def delegate_sees(voice: Voice) -> Iterator[str]:
    """What the delegate's machine sees."""
    if voice.of_2021:
        # TLS 1.2, which policies of 2021 ask for, shows certificates.
        yield say(
            "This policy, with all names and certificates; from which addresses somebody connects, "
            "as which principal, when, and how many bytes go each way; how long a run takes and "
            "how much memory."
        )
    else:
        yield say(
            "This policy, with all names and certificates; from which addresses somebody connects, "
            "when, and how many bytes go each way; how long a run takes and how much memory."
        )
    yield say(
        "The code that the program is compiled to, which is kept for later isolates. Inputs "
        "and results pass encrypted, and end and begin inside the isolate."
    )
    if any(each.name == LINUX_SOFTWARE for each in voice.policy.platforms):
        yield say(
            "On {platform} its owner can also look into the isolate, and see everything: "
            "see what is not protected.",
            platform=LINUX_SOFTWARE,
        )


def tabasco_sees(voice: Voice) -> Iterator[str]:
    """What the attestation service sees."""
    yield say(
        "Evidence of the delegate's machine, the digest of this policy, which runtime holds "
        "it, and when and from which addresses it is asked about the isolate. No input, no "
        "result, and not the policy."
    )
    if voice.policy.tabasco_key is None:
        yield say("The policy does not say whose verdicts count: everybody must be given its key.")


def _machine(platform: AcceptedPlatform) -> Iterator[str]:
    """Who decides which machine it may run on."""
    if platform.machine:
        yield say(
            "On {platform} the machine itself must have been started from what this policy names: "
            "{registers}. What was done to it afterwards is not in that.",
            platform=platform.name,
            registers=listed([each.name for each in platform.machine]),
        )
    elif platform.name in REGISTER_BANKS:
        yield say(
            "Which machines are accepted on {platform} is left to the attestation service: this "
            "policy does not say what they must have been started from.",
            platform=platform.name,
        )


def not_protected(voice: Voice) -> Iterator[str]:
    """What is not protected, first on each platform that is accepted."""
    policy = voice.policy
    for platform in policy.platforms:
        yield say(
            "On {platform}: {from_whom}",
            platform=platform.name,
            from_whom=not_protected_on(platform.name),
        )
        yield from _machine(platform)
    if len(policy.platforms) > 1:
        yield say(
            "Each of these platforms is accepted: the weakest of them is what can be relied on."
        )
    if not policy.isolation:
        yield say("No layer of isolation is asked for: an isolate with no walls is accepted.")
    else:
        yield say(
            "Of isolation this much is asked for, and no more: {layers}.",
            layers=layer_names(policy.isolation),
        )
        if missing := RUNTIME_LAYERS - policy.isolation:
            yield say("An isolate without {layers} is accepted.", layers=layer_names(missing))
    yield say(
        "Who holds the key of the attestation service, or decides for it which machines are "
        "genuine, can vouch for a false isolate, and read what is sent to that."
    )
    yield say(
        "How long a run takes and how large things are can tell something of the inputs to "
        "the delegate and to every principal."
    )
    if voice.private:
        yield say(
            "The privacy budget is this isolate's: whoever sends the same input to another isolate "
            "pays from another."
        )
    yield say(
        "Nothing here stops a principal from sending false data, or from passing a result on."
    )
