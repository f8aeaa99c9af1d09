"""The account of a computation's privacy: what releases cost and what is left.

By basic composition: releases of (epsilon, delta) each are together of as many times that. Less
than the total is sold: a release that does not fit whole is none.
"""

from fractions import Fraction

from veracruz_utils.frozen import frozen


@frozen
class Loss:
    """A loss of privacy, by the definition of (epsilon, delta)-differential privacy."""

    epsilon: Fraction
    delta: Fraction = Fraction(0)

    def __add__(self, other: "Loss") -> "Loss":
        return Loss(self.epsilon + other.epsilon, self.delta + other.delta)

    def __sub__(self, other: "Loss") -> "Loss":
        return Loss(self.epsilon - other.epsilon, self.delta - other.delta)

    def within(self, bound: "Loss") -> bool:
        """Whether it is at most `bound`, in both."""
        return self.epsilon <= bound.epsilon and self.delta <= bound.delta


@frozen
class Budget:
    """An account; `pay` gives the one after a release.

    Attributes:
        total: what may be lost in all.
        price: what one release costs.
        spent: what was lost so far.
    """

    total: Loss
    price: Loss
    spent: Loss = Loss(Fraction(0))

    @property
    def left(self) -> Loss:
        """What may still be lost."""
        return self.total - self.spent

    @property
    def suffices(self) -> bool:
        """Whether another release can be paid."""
        return self.price.within(self.left)

    def pay(self) -> "Budget":
        """The account with one more release on it; it must suffice."""
        assert self.suffices
        return Budget(self.total, self.price, self.spent + self.price)
