"""What the policy's `result` asks for before anything of a result is released.

Who gave inputs, and whether the privacy budget pays for a release, is decided before a run. After
it the result's size and type are held against the policy, and noise is added. All of it happens in
the front, which the program cannot reach; what does not pass leaves nothing but that it did not.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final

from colima.runtime import RefusalReason
from mexico_city.content import Content, Sealing
from mexico_city.errors import DeniedError
from mexico_city.inputs import Package
from mexico_city.privacy.budget import Budget, Loss
from mexico_city.privacy.mechanisms import gaussian_variance, laplace_scale
from mexico_city.privacy.noising import Noising
from mexico_city.privacy.sampler import Sampler
from platform_services import PlatformError, RandomSource
from psa_attestation.receipts.receipt import PrivacyBalance
from veracruz_utils.encoding import kinds
from veracruz_utils.encoding.errors import PineconeError
from veracruz_utils.encoding.kinds import TypeKind
from veracruz_utils.encoding.walk import Walk
from veracruz_utils.encoding.wire import Window
from veracruz_utils.frozen import frozen
from veracruz_utils.policy import InputTerms, Mechanism, Policy, Privacy, ResultTerms, decimal_text

_STEP_PARTS: Final = 16
_STEP_S: Final = 0.02
"""Other sessions wait while a step is made."""
_LEAST_RELEASE_S: Final = 60
_MAX_TYPE_CHARS: Final = 100


class WithheldError(Exception):
    """A result must not be released; `rule` is what it breaks, in public facts."""

    def __init__(self, rule: str) -> None:
        super().__init__(rule)
        self.rule = rule


class Disclosure:
    """The terms of release of one computation, and its account of privacy."""

    def __init__(
        self,
        policy: Policy,
        random: RandomSource,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._release_s = max(policy.limits.run_seconds, _LEAST_RELEASE_S)
        self._inputs = policy.inputs
        self._streams = policy.streams
        self._terms = policy.result
        privacy = policy.result.privacy
        self._budget = None if privacy is None else _budget(privacy)
        self._draw = None if privacy is None else _noise(privacy, Sampler(random))

    def require_run(self, inputs: Sequence[Package], streams: Sequence[Package]) -> None:
        """Refuse a run on these, in the order of the policy, if its result could not be released.

        Raises:
            DeniedError: too few principals gave inputs, or the privacy budget is spent.
        """
        asked = self._terms.contributors
        places = [*zip(inputs, self._inputs, strict=True)]
        places += zip(streams, self._streams, strict=True)
        given = {package.slot.client_id for package, terms in places if _gives(package, terms)}
        if len(given) < asked:
            raise DeniedError(
                RefusalReason.TOO_FEW_CONTRIBUTORS,
                found=f"{len(given)} principals gave an input that is not empty",
                expected=f"at least {asked}",
            )
        self.require_budget()

    def require_budget(self) -> None:
        """Refuse what ends in a release that cannot be paid.

        Raises:
            DeniedError: the privacy budget is spent.
        """
        budget = self._budget
        if budget is not None and not budget.suffices:
            raise DeniedError(
                RefusalReason.BUDGET_SPENT,
                found=_loss_text(budget.left, budget) + " left of the privacy budget",
                expected=_loss_text(budget.price, budget) + " for a release",
            )

    @property
    def private(self) -> bool:
        """Whether nobody is told how a run failed, nor what it took: both depend on the inputs."""
        # Noise would hide little from who reads the same in a program's code, fuel or duration.
        return self._budget is not None

    def release(self, written: Sealing, *, succeeded: bool, wrote: bool) -> "Releasing":
        """What the program wrote, on its way out.

        Args:
            written: its file.
            succeeded: whether the program says that it did; of another run nothing is released.
            wrote: whether it wrote a result.
        """
        if not succeeded:
            return Releasing(written, ResultTerms(), None, self._timer(), wrote=wrote)
        return Releasing(written, self._terms, self._draw, self._timer(), wrote=wrote)

    def _timer(self) -> "_Timer":
        return _Timer(self._clock, self._clock() + self._release_s)

    def pay(self) -> None:
        """Put a run on the account, before it begins: it is paid for however it ends."""
        if self._budget is not None:
            self._budget = self._budget.pay()

    @property
    def balance(self) -> PrivacyBalance | None:
        """The account, as receipts tell it; None if there is none."""
        if self._budget is None:
            return None
        spent, left = self._budget.spent, self._budget.left
        return PrivacyBalance(
            *map(decimal_text, (spent.epsilon, left.epsilon, spent.delta, left.delta))
        )


@frozen
class _Timer:
    """How long a release may take."""

    clock: Callable[[], float]
    ends: float

    def part(self) -> Iterator[None]:
        """Once, and again until the time of a step is over.

        Raises:
            TimeoutError: all of the time is over.
        """
        until = self.clock() + _STEP_S
        while True:
            yield
            now = self.clock()
            if now >= self.ends:
                raise TimeoutError
            if now >= until:
                return


class Releasing:
    """What a program wrote: sealed, held against the policy, with noise; a part at a time."""

    def __init__(
        self,
        sealing: Sealing,
        terms: ResultTerms,
        draw: Callable[[], int] | None,
        timer: _Timer,
        *,
        wrote: bool,
    ) -> None:
        self._sealing = sealing
        self._most = terms.most_bytes
        self._kind = terms.kind
        self._draw = draw
        self._timer = timer
        self._wrote = wrote
        self._content: Content | None = None
        self._walk: Walk | None = None
        self._noising: Noising | None = None

    def step(self) -> Content | None:
        """Go on; what may be released when that was all of it.

        Raises:
            WithheldError: it must not be; everything is closed.
        """
        try:
            if self._content is None:
                self._content = self._sealing.step()
                return None if self._content is None else self._begin(self._content)
            for _ in self._timer.part():
                released = self._go_on(self._content)
                if released is not None:
                    return released
        except TimeoutError:
            raise self._withheld("looking through the result takes too long") from None
        except PineconeError:
            assert self._kind is not None  # nothing else is walked along
            raise self._withheld(f"the result is not of type {_type_text(self._kind)}") from None
        except PlatformError:
            raise self._withheld("there are no random bytes for its noise now") from None
        except OSError:
            raise self._withheld("there is no room for its noise now") from None
        return None

    def close(self) -> None:
        """Forget everything; idempotent."""
        self._sealing.close()
        if self._content is not None:
            self._content.close()
        if self._noising is not None:
            self._noising.close()

    def _withheld(self, rule: str) -> WithheldError:
        self.close()
        return WithheldError(rule)

    def _begin(self, content: Content) -> Content | None:
        if self._most is not None and content.size > self._most:
            raise self._withheld(f"the result is larger than {self._most} bytes")
        if self._kind is None:
            return content
        if not self._wrote:
            raise self._withheld(f"there is no result, {_type_text(self._kind)} was due")
        if self._draw is not None:
            self._noising = Noising(content, self._kind, self._draw)
        else:
            self._walk = Walk(self._kind, Window(content.size, content.read))
        return None

    def _go_on(self, content: Content) -> Content | None:
        if self._noising is not None:
            return self._noising.step()
        assert self._walk is not None
        return content if self._walk.step(_STEP_PARTS) else None


def _gives(package: Package, terms: InputTerms) -> bool:
    """Whether an input is not empty: more than an empty list or text, where its type is known."""
    may_be_empty = kinds.Sequence | kinds.Mapping | kinds.Text | kinds.Option
    if package.content.size == 1 and isinstance(terms.kind, may_be_empty):
        return package.content.read(0, 1) != b"\0"
    return package.content.size > 0


def _budget(privacy: Privacy) -> Budget:
    return Budget(
        total=Loss(privacy.total_epsilon, privacy.total_delta),
        price=Loss(privacy.epsilon, privacy.delta),
    )


def _noise(privacy: Privacy, sampler: Sampler) -> Callable[[], int]:
    loss = Loss(privacy.epsilon, privacy.delta)
    if privacy.mechanism is Mechanism.LAPLACE:
        return partial(sampler.laplace, laplace_scale(loss, privacy.sensitivity))
    return partial(sampler.gaussian, gaussian_variance(loss, privacy.sensitivity))


def _loss_text(loss: Loss, budget: Budget) -> str:
    delta = f", delta {decimal_text(loss.delta)}" if budget.price.delta else ""
    return f"epsilon {decimal_text(loss.epsilon)}{delta}"


def _type_text(kind: TypeKind) -> str:
    return str(kind)[:_MAX_TYPE_CHARS]
