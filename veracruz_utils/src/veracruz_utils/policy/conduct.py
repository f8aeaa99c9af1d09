"""How a computation is conducted: how often, with whose consent, and what may leave it."""

from collections.abc import Set as AbstractSet
from dataclasses import field
from enum import StrEnum
from typing import TYPE_CHECKING

from veracruz_utils.encoding.grammar import parse_type
from veracruz_utils.encoding.kinds import TypeKind
from veracruz_utils.frozen import frozen

if TYPE_CHECKING:  # it takes as long as all of this, and few policies speak of privacy
    from fractions import Fraction

UNLIMITED = (1 << 32) - 1
"""As a number of rounds or results: as many as a computation can count."""


@frozen
class Agreement:
    """Who must agree before something is done.

    Attributes:
        least: how many of them, at least 1.
        of: whose word counts; client ids, at least `least`.
    """

    least: int
    of: frozenset[int]

    def met(self, agreed: AbstractSet[int]) -> bool:
        """Whether these, by client id, are enough."""
        return len(self.of & agreed) >= self.least

    def awaited(self, agreed: AbstractSet[int]) -> frozenset[int]:
        """Whose word would still count, by client id; nobody's once it is met."""
        return frozenset() if self.met(agreed) else self.of - agreed


@frozen
class Conduct:
    """How often a computation runs, and who has a say in it.

    Attributes:
        rounds: how many there may be.
        attempts: how often the program may be run in one round, the first time included.
        results_per_reader: of how many rounds one reader may have the result.
        next_round: which readers must ask for another round.
        consent: which principals must have signed the policy before data are taken; None asks
            nobody.
        deterministic: whether the program's random numbers come from a seed that receipts tell, so
            that everybody with the inputs can run it again.
        canonical_nans: whether every NaN that the program makes has the same bits, wherever and by
            whichever strategy it runs. So it is if a run can be done again, and of 2021.
        repairs: whether an error code of the program is a failure, after which inputs may be
            replaced. In a policy of 2021 it is an outcome like another.
    """

    rounds: int
    attempts: int
    results_per_reader: int
    next_round: Agreement
    consent: Agreement | None = None
    deterministic: bool = False
    canonical_nans: bool = False
    repairs: bool = True


OPAQUE = "opaque"
"""The type of an input or result of which nothing is known."""


@frozen
class InputTerms:
    """What one place of an order takes.

    Attributes:
        name: what people call it; may be empty.
        type: in the grammar of the encoding, or `OPAQUE`; principals' tools hold files against it,
            the isolate does not.
        most_bytes: the size of it; None is the policy's limit for every input.
    """

    name: str = ""
    type: str = OPAQUE
    most_bytes: int | None = None

    @property
    def kind(self) -> TypeKind | None:
        """The type, parsed; None if it is `OPAQUE`."""
        return None if self.type == OPAQUE else parse_type(self.type)


class Mechanism(StrEnum):
    """How noise is drawn."""

    LAPLACE = "laplace"
    GAUSSIAN = "gaussian"


@frozen
class Privacy:
    """The differential privacy of a result, and the budget it is paid from.

    Attributes:
        mechanism: which noise.
        epsilon: of one release.
        delta: of one release; 0 with Laplace noise.
        total_epsilon: of all releases together.
        total_delta: of all releases together.
        sensitivity: how far one contributor can move the result: the sum of the differences of all
            its numbers (L1) with Laplace noise, the root of the sum of their squares (L2) with
            Gaussian noise.
    """

    mechanism: Mechanism
    epsilon: "Fraction"
    delta: "Fraction"
    total_epsilon: "Fraction"
    total_delta: "Fraction"
    sensitivity: "Fraction"


@frozen
class ResultTerms:
    """What the runtime holds a result against before it gives anything of it away.

    Attributes:
        type: in the grammar of the encoding, or `OPAQUE`.
        most_bytes: the size of it; None is the policy's limit for every output.
        contributors: how many principals must have given an input that is not empty.
        privacy: the noise that it gets; None is none.
    """

    type: str = OPAQUE
    most_bytes: int | None = None
    contributors: int = 0
    privacy: Privacy | None = None

    @property
    def kind(self) -> TypeKind | None:
        """The type, parsed; None if it is `OPAQUE`."""
        return None if self.type == OPAQUE else parse_type(self.type)


@frozen
class PolicyTerms:
    """What only the current format can say of a computation.

    Attributes:
        conduct: how often, and with whose say.
        inputs: what each place of `data_provision_order` takes.
        streams: what each place of `streaming_order` takes.
        result: what may leave.
    """

    conduct: Conduct
    inputs: tuple[InputTerms, ...] = field(default=())
    streams: tuple[InputTerms, ...] = field(default=())
    result: ResultTerms = field(default=ResultTerms())


def decimal_text(number: "Fraction") -> str:
    """A fraction that a decimal number was read as, or a sum of such, as a decimal number."""
    places, power = 0, 1
    while power % number.denominator:
        places, power = places + 1, power * 10
    digits = str(number.numerator * (power // number.denominator)).rjust(places + 1, "0")
    return f"{digits[:-places]}.{digits[-places:]}" if places else digits
