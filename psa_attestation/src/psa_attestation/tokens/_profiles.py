"""The claim keys of each PSA profile (RFC 9783 sections 4 and 4.6)."""

import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Final

from psa_attestation.tokens.claims import PsaProfile
from veracruz_utils.frozen import frozen


@frozen
class ProfileKeys:
    """Under which key a profile has each claim, and the limits that differ."""

    profile: int
    nonce: int
    client_id: int
    instance_id: int
    implementation_id: int
    lifecycle: int
    software_components: int
    boot_seed: int
    certification_reference: int
    verification_service: int
    boot_seed_sizes: Collection[int] = range(8, 33)
    reference_form: re.Pattern[str] = re.compile(r"[0-9]{13}-[0-9]{5}")


RFC9783_KEYS: Final = ProfileKeys(
    profile=265,
    nonce=10,
    client_id=2394,
    instance_id=256,
    implementation_id=2396,
    lifecycle=2395,
    software_components=2399,
    boot_seed=268,
    certification_reference=2398,
    verification_service=2400,
)
KEYS: Final[Mapping[PsaProfile, ProfileKeys]] = {
    PsaProfile.RFC9783: RFC9783_KEYS,
    PsaProfile.PSA_2_0_0: replace(RFC9783_KEYS, boot_seed=2397),
    PsaProfile.PSA_IOT_1: ProfileKeys(
        profile=-75000,
        nonce=-75008,
        client_id=-75001,
        instance_id=-75009,
        implementation_id=-75003,
        lifecycle=-75002,
        software_components=-75006,
        boot_seed=-75004,
        certification_reference=-75005,
        verification_service=-75010,
        boot_seed_sizes=(32,),
        reference_form=re.compile(r"[0-9]{13}(-[0-9]{5})?"),
    ),
}
_EAT_KEYS: Final = frozenset({10, 256, 265, 2394, 2395, 2396, 2398, 2399, 2400})
_FAMILY: Final[Mapping[PsaProfile, frozenset[int]]] = {
    PsaProfile.RFC9783: _EAT_KEYS | {268},
    PsaProfile.PSA_2_0_0: _EAT_KEYS | {2397},
    PsaProfile.PSA_IOT_1: frozenset(range(-75010, -75000 + 1)),
}
# The keys that only other profiles have; a token with one of them is refused.
FOREIGN_KEYS: Final[Mapping[PsaProfile, frozenset[int]]] = {
    profile: frozenset[int]().union(*_FAMILY.values()) - family
    for profile, family in _FAMILY.items()
}

# In PSA_IOT_PROFILE_1 only, with the value 1 and instead of software components.
NO_MEASUREMENTS: Final = -75007
