"""Which place of the policy's orders a principal's input fills."""

from collections.abc import Sequence
from dataclasses import replace

from colima.runtime import ContentKind
from durango._say import say
from durango._words import printable
from durango.errors import NotAuthorisedError
from veracruz_utils.encoding.kinds import TypeKind
from veracruz_utils.frozen import frozen
from veracruz_utils.policy import InputTerms, Policy, PolicyIdentity

_MAX_TYPE_CHARS = 200


@frozen
class PlaceOfInput:
    """A place of one of the orders.

    Attributes:
        content: data or stream.
        index: in its order, as the program counts; None if it is one of several that are alike.
        client_id: who fills it.
        owner: what the policy calls them.
        terms: what the policy says of it.
    """

    content: ContentKind
    index: int | None
    client_id: int
    owner: str
    terms: InputTerms

    @property
    def label(self) -> str:
        """What messages call it, such as `input 1 (patients)`."""
        stream = self.content is ContentKind.STREAM
        if self.index is None and stream:
            return say("any stream of {who}", who=self.owner)
        if self.index is None:
            return say("any input of {who}", who=self.owner)
        name = f" ({printable(self.terms.name)})" if self.terms.name else ""
        if stream:
            return say("stream {index}{name}", index=self.index, name=name)
        return say("input {index}{name}", index=self.index, name=name)

    @property
    def kind(self) -> TypeKind | None:
        """The type of what it takes; None if the policy says none."""
        return self.terms.kind

    @property
    def expected(self) -> str:
        """What messages call its type."""
        return f"the encoding of {self.terms.type[:_MAX_TYPE_CHARS]}"


def places(policy: Policy, content: ContentKind) -> list[PlaceOfInput]:
    """All places of one order, as the program counts them."""
    data = content is ContentKind.DATA
    order: Sequence[int] = policy.data_provision_order if data else policy.streaming_order
    terms = policy.inputs if data else policy.streams
    return [
        PlaceOfInput(content, index, client, policy.named(client), each)
        for index, (client, each) in enumerate(zip(order, terms, strict=True))
    ]


def place_of(
    policy: Policy, member: PolicyIdentity, content: ContentKind, package_id: int
) -> PlaceOfInput:
    """The place that a package of `member`, who has one in this order, is going to fill.

    A principal's packages fill its places in rising order. So package 0 is for the first of them,
    package 1 for the second; of other numbers that cannot be said before all are in.

    Raises:
        NotAuthorisedError: it cannot be said, and the places take different things.
    """
    own = [place for place in places(policy, content) if place.client_id == member.client_id]
    if package_id < len(own):
        return own[package_id]
    if any(place.terms != own[0].terms for place in own):
        raise NotAuthorisedError(
            f"package {package_id} of {member.label} could be {_one_of(own)}, which take different "
            f"things: number the packages 0 to {len(own) - 1}, in this order"
        )
    return own[0] if len(own) == 1 else replace(own[0], index=None)


def _one_of(own: Sequence[PlaceOfInput]) -> str:
    return " or ".join(place.label for place in own[:5])
