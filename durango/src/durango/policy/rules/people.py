"""Rules about who learns what, and who decides."""

from collections.abc import Iterator
from typing import Final

from durango.policy.known_programs import known_program
from durango.policy.rules.rule import Checked, Severity, rule
from psa_attestation.cbor.values import WritingError
from psa_attestation.consents.consent import PolicyConsent
from veracruz_utils.policy import (
    UNLIMITED,
    Policy,
    PolicyFormat,
    PolicyIdentity,
    Role,
)

_MANY_ATTEMPTS: Final = 10
_NOISY: Final = frozenset({"noisy-histogram"})
"""Programs that add noise of their own: rounds take it away again."""


@rule("P301", Severity.WARNING, "debug is on", "turn it off when the program works")
def _debug(checked: Checked) -> Iterator[str]:
    if checked.policy.debug:
        yield (
            "debug is on: what the program says, and where it fails, go to its provider: that may "
            "be anybody's input"
        )


@rule(
    "P302", Severity.WARNING, "the author is the only reader",
    "let another principal read as well, or read the program's source",
)  # fmt: skip
def _author_reads_alone(checked: Checked) -> Iterator[str]:
    readers = checked.holders(Role.RESULT_READER)
    alone = len(readers) == 1 and Role.PI_PROVIDER in readers[0].roles
    if alone and checked.providers and checked.providers != readers:
        yield f"{readers[0].label} gives the program and is the only one who reads the result"


@rule(
    "P303", Severity.WARNING, "the sole provider is the reader", "ask what the others are there for"
)
def _sole_provider_reads(checked: Checked) -> Iterator[str]:
    readers = checked.holders(Role.RESULT_READER)
    if (
        len(checked.providers) == 1
        and checked.providers == readers
        and len(checked.policy.identities) > 1
    ):
        yield f"{readers[0].label} is the only one who gives data, and the only one who reads"


@rule(
    "P304", Severity.NOTE, "a reader gives data as well",
    "think of what it can work out of the others' from the result and its own",
)  # fmt: skip
def _reader_provides(checked: Checked) -> Iterator[str]:
    if len(checked.providers) > 1:
        for reader in checked.holders(Role.RESULT_READER):
            if reader in checked.providers:
                yield f"{reader.label} reads the result and gives data"


@rule(
    "P305", Severity.WARNING, "two providers, one of whom reads",
    "have more providers, or a result that hides any one of them",
)  # fmt: skip
def _two_providers(checked: Checked) -> Iterator[str]:
    readers = checked.holders(Role.RESULT_READER)
    reading = [each for each in checked.providers if each in readers]
    if len(checked.providers) == 2 and reading and checked.policy.result.privacy is None:
        (other,) = [each for each in checked.providers if each != reading[0]] or reading
        yield (
            f"of two who give data {reading[0].label} reads the result: what is not its own in it "
            f"is {other.label}'s"
        )


@rule("P306", Severity.NOTE, "one person alone can end it", "name a second reader")
def _one_ends(checked: Checked) -> Iterator[str]:
    readers = checked.holders(Role.RESULT_READER)
    if len(readers) == 1 and len(checked.policy.identities) > 1:
        yield f"{readers[0].label} alone can end the computation for everybody"


@rule(
    "P307", Severity.WARNING, "one reader alone can begin further rounds",
    "let `next_round` name those who must agree, or allow one round",
)  # fmt: skip
def _one_repeats(checked: Checked) -> Iterator[str]:
    conduct = checked.policy.conduct
    alone = conduct.next_round.least == 1 and len(checked.policy.identities) > 1
    if conduct.rounds > 1 and alone and not checked.policy.streaming_order:
        many = "any number of" if conduct.rounds == UNLIMITED else str(conduct.rounds)
        yield f"there may be {many} rounds over the same data, and one reader can begin each"


@rule(
    "P308", Severity.WARNING, "rounds take a noisy program's noise away",
    "allow one round, or let the runtime add the noise (`result.privacy`)",
)  # fmt: skip
def _noise_averaged(checked: Checked) -> Iterator[str]:
    program = known_program(checked.policy.program_digest)
    rounds = checked.policy.conduct.rounds
    if program and program.name in _NOISY and rounds > 1 and checked.policy.result.privacy is None:
        many = "any number of" if rounds == UNLIMITED else str(rounds)
        yield f"{program.name} adds new noise in each of {many} rounds: their mean has none"


@rule("P309", Severity.NOTE, "nobody has to sign", "ask for `consent`")
def _no_consent(checked: Checked) -> Iterator[str]:
    current = checked.policy.format is PolicyFormat.CURRENT
    if current and checked.policy.conduct.consent is None and len(checked.policy.identities) > 1:
        yield "the isolate takes data without anybody's signature of the policy"


@rule("P310", Severity.WARNING, "many attempts", "allow a few: each tells how it ended")
def _many_attempts(checked: Checked) -> Iterator[str]:
    if checked.policy.conduct.attempts > _MANY_ATTEMPTS:
        yield (
            f"the program may be run {checked.policy.conduct.attempts} times in a round, over "
            "inputs that may be replaced between"
        )


@rule(
    "P311", Severity.NOTE, "random numbers that everybody knows",
    "leave `deterministic` out if the program's random numbers are to hide something",
)  # fmt: skip
def _deterministic(checked: Checked) -> Iterator[str]:
    if checked.policy.conduct.deterministic:
        yield "the program's random numbers come from a seed that every principal is told"


@rule(
    "P312", Severity.ERROR, "a consent that nobody can give",
    "have them make new keys with `durango identity new`, or ask for fewer consents",
)  # fmt: skip
def _no_consent_possible(checked: Checked) -> Iterator[str]:
    consent = checked.policy.conduct.consent
    if consent is None:
        return
    asked = [each for each in checked.policy.identities if each.client_id in consent.of]
    mute = [each.label for each in asked if not _signs(checked.policy, each)]
    if len(asked) - len(mute) < consent.least:
        yield (
            f"{consent.least} consents are asked for, and the keys of {', '.join(mute)} are of a "
            "kind that signs none: the isolate would never take data"
        )


@rule(
    "P313", Severity.NOTE, "somebody gives data and is not asked to sign",
    "name all who give data in `consent`",
)  # fmt: skip
def _provider_not_asked(checked: Checked) -> Iterator[str]:
    consent = checked.policy.conduct.consent
    left_out = [
        each.label
        for each in checked.providers
        if consent is not None and each.client_id not in consent.of
    ]
    if left_out:
        yield f"the isolate takes data of {', '.join(left_out)} without their signature"


def _signs(policy: Policy, identity: PolicyIdentity) -> bool:
    try:
        PolicyConsent.of(policy.digest.value, identity.client_id, identity.certificate)
    except WritingError:
        return False
    return True
