"""Exact noise on the integers: discrete Laplace and discrete Gaussian, from random bytes.

Every draw begins with uniform integers below a bound, by rejection, and goes on by comparing
integers: no probability is ever rounded. The parameters are exact fractions.

Source: Canonne, Kamath, Steinke, "The Discrete Gaussian for Differential Privacy" (2020),
Algorithms 1 (Bernoulli of an exponential), 2 (Laplace) and 3 (Gaussian).
"""

from fractions import Fraction
from math import isqrt
from typing import Final

from platform_services import RandomSource

_DRAWN_BYTES: Final = 1024
_ONE: Final = Fraction(1)
_HALF: Final = Fraction(1, 2)


class Sampler:
    """Draws from one source of random bytes; each byte is used once."""

    def __init__(self, source: RandomSource) -> None:
        self._source = source
        self._bytes = b""

    def laplace(self, scale: Fraction) -> int:
        """An integer x with probability proportional to exp(-|x| / scale); `scale` above 0.

        Raises:
            ServiceUnavailableError: there are no random bytes now.
        """
        across, by = scale.numerator, scale.denominator
        while True:
            low = self.below(across)
            if not self.bernoulli_exp(Fraction(low, across)):
                continue
            high = 0
            while self.bernoulli_exp(_ONE):
                high += 1
            size = (low + across * high) // by
            negative = self.bernoulli(_HALF)
            if negative and size == 0:  # or 0 had two ways to come about
                continue
            return -size if negative else size

    def gaussian(self, variance: Fraction) -> int:
        """An integer x with probability proportional to exp(-x² / (2 variance)); it is above 0.

        Raises:
            ServiceUnavailableError: there are no random bytes now.
        """
        scale = isqrt(variance.numerator // variance.denominator) + 1
        while True:
            drawn = self.laplace(Fraction(scale))
            apart = abs(drawn) - variance / scale
            if self.bernoulli_exp(apart * apart / (2 * variance)):
                return drawn

    def bernoulli_exp(self, exponent: Fraction) -> bool:
        """True with probability exp(-exponent); `exponent` is not negative."""
        while exponent > 1:
            if not self.bernoulli_exp(_ONE):
                return False
            exponent -= 1
        # The series of the exponential: it goes on to the k-th term with exponent^k / k!.
        terms = 1
        while self.bernoulli(exponent / terms):
            terms += 1
        return terms % 2 == 1

    def bernoulli(self, probability: Fraction) -> bool:
        """True with exactly this probability, from 0 to 1."""
        return self.below(probability.denominator) < probability.numerator

    def below(self, bound: int) -> int:
        """An integer from 0 to below `bound`, each as likely."""
        bits = (bound - 1).bit_length()
        size = (bits + 7) // 8
        while True:
            number = int.from_bytes(self._take(size)) >> (8 * size - bits)
            if number < bound:
                return number

    def _take(self, size: int) -> bytes:
        if len(self._bytes) < size:
            self._bytes += self._source.fill(max(size, _DRAWN_BYTES))
        taken, self._bytes = self._bytes[:size], self._bytes[size:]
        return taken
