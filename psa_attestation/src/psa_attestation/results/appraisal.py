"""What a verifier concludes about an attester: trust vector and tier (draft-ietf-rats-ar4si)."""

from collections.abc import Mapping
from dataclasses import field, fields
from enum import IntEnum
from typing import Final

from veracruz_utils.frozen import frozen

INT8: Final = range(-128, 128)


class Tier(IntEnum):
    """A level of trust; a higher number is worse."""

    NONE = 0
    AFFIRMING = 2
    WARNING = 32
    CONTRAINDICATED = 96


def tier_of(claim: int) -> Tier:
    """The tier that one claim of a trust vector (-128 to 127) falls into."""
    if -1 <= claim <= 1:
        return Tier.NONE
    if -32 <= claim < 32:
        return Tier.AFFIRMING
    return Tier.WARNING if -96 <= claim < 96 else Tier.CONTRAINDICATED


@frozen
class TrustVector:
    """AR4SI's eight claims, in the order of their keys 0 to 7; None where nothing is claimed.

    Each is an int8 and falls into the tier that `tier_of` gives.
    """

    instance_identity: int | None = None
    configuration: int | None = None
    executables: int | None = None
    file_system: int | None = None
    hardware: int | None = None
    runtime_opaque: int | None = None
    storage_opaque: int | None = None
    sourced_data: int | None = None

    @property
    def claims(self) -> dict[int, int]:
        """The claims that are made, by their AR4SI key."""
        claims = (getattr(self, name) for name in VECTOR_NAMES)
        return {key: claim for key, claim in enumerate(claims) if claim is not None}

    @property
    def worst(self) -> Tier:
        """The worst tier of any claim; `Tier.NONE` if there is none."""
        return max(map(tier_of, self.claims.values()), default=Tier.NONE)


VECTOR_NAMES: Final = tuple(each.name for each in fields(TrustVector))


@frozen
class Appraisal:
    """A verifier's conclusion about one attester.

    Attributes:
        status: the overall tier; never better than the vector's worst.
        trust_vector: why.
        policy_ids: the policies applied, in order; may be empty.
        nonce: the nonce of the appraised evidence, 8 to 64 bytes.
        machine: our claim -76004, what hardware measured of the machine that the attester is in,
            by the platform's names of its registers; empty where no hardware vouched.
    """

    status: Tier
    trust_vector: TrustVector = TrustVector()
    policy_ids: tuple[str, ...] = ()
    nonce: bytes | None = None
    machine: Mapping[str, bytes] = field(default_factory=dict)
