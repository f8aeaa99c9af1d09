"""Return codes by which a program says which of its inputs it refuses, and why.

A code is 0x52000000 + 256 * index + reason for an input, 0x53000000 for a stream: the index as the
program counts, from 0 to 65535, and the program's own reason from 0 to 255. It is a convention of
the guest libraries (`refuse_input`); the runtime gives no code a meaning.
"""

from typing import Final

from veracruz_utils.frozen import frozen
from veracruz_utils.policy import Policy

_FIRST_INPUT: Final = 0x52000000
_FIRST_STREAM: Final = 0x53000000
_END: Final = 0x54000000
_REASONS: Final = 256


@frozen
class RefusedInput:
    """What a program says of an input that it does not take.

    Attributes:
        stream: whether it is a stream, and no static input.
        index: which, as the program counts.
        reason: the program's own number for why.
    """

    stream: bool
    index: int
    reason: int

    @property
    def code(self) -> int:
        """The return code that says so."""
        first = _FIRST_STREAM if self.stream else _FIRST_INPUT
        return first + _REASONS * self.index + self.reason

    @property
    def noun(self) -> str:
        """What it is called without a policy, such as `input 1`."""
        return f"{'stream' if self.stream else 'input'} {self.index}"

    def words(self, policy: Policy | None = None) -> str:
        """A sentence for people, by the names that the policy has."""
        return f"the program refused {self._named(policy)}: code {self.reason}"

    def _named(self, policy: Policy | None) -> str:
        if policy is None:
            return self.noun
        order = policy.streaming_order if self.stream else policy.data_provision_order
        terms = policy.streams if self.stream else policy.inputs
        if self.index >= len(order):
            return f"{self.noun}, which the policy does not have"
        kind = "stream" if self.stream else "input"
        label = terms[self.index].name
        what = f"the {kind} {_quoted(label)}" if label else self.noun
        return f"{what} of {policy.named(order[self.index])}"


def refused_input_of(code: int) -> RefusedInput | None:
    """The input that a return code is about; None if it is about none."""
    if not _FIRST_INPUT <= code < _END:
        return None
    index, reason = divmod(code & 0xFFFFFF, _REASONS)
    return RefusedInput(code >= _FIRST_STREAM, index, reason)


def _quoted(label: str) -> str:
    return f"'{label}'" if label.isprintable() else repr(label)
