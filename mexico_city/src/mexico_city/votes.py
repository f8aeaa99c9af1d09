"""Who has asked for what takes several: another round, or the end of the computation."""

from colima.runtime import RefusalReason
from mexico_city.errors import DeniedError
from veracruz_utils.policy import Agreement, Policy, PolicyIdentity


class Votes:
    """The words of those whose agreement something takes.

    Args:
        policy: whose names messages use.
        agreement: whose word counts, and how many of them it takes.
        purpose: what they agree to, as in "another round".
    """

    def __init__(self, policy: Policy, agreement: Agreement, purpose: str) -> None:
        self._policy = policy
        self._agreement = agreement
        self._purpose = purpose
        self._given: set[int] = set()

    @property
    def awaited(self) -> tuple[int, ...]:
        """Whose word is missing, by client id, once somebody has asked; nobody's before that."""
        return tuple(sorted(self._agreement.awaited(self._given))) if self._given else ()

    @property
    def met(self) -> bool:
        """Whether enough have asked."""
        return self._agreement.met(self._given)

    def give(self, identity: PolicyIdentity) -> None:
        """Count the word of this principal.

        Raises:
            DeniedError: it is none of those whose word counts.
        """
        if identity.client_id not in self._agreement.of:
            names = ", ".join(self._policy.named(each) for each in sorted(self._agreement.of))
            raise DeniedError(
                RefusalReason.WRONG_ROLE,
                found=f"{identity.label} asks for {self._purpose}"[:160],
                expected=f"{self._agreement.least} of {names}"[:160],
            )
        self._given.add(identity.client_id)

    def clear(self) -> None:
        """Forget who asked."""
        self._given.clear()
