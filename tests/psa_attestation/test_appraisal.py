import pytest

from psa_attestation.results.appraisal import Appraisal, Tier, TrustVector, tier_of


@pytest.mark.parametrize(
    ("claims", "tier"),
    [
        ((-1, 0, 1), Tier.NONE),
        ((2, 31, -2, -32), Tier.AFFIRMING),
        ((32, 95, -33, -96), Tier.WARNING),
        ((96, 127, -97, -128), Tier.CONTRAINDICATED),
    ],
)
def test_a_claim_falls_into_its_tier(claims, tier):
    assert {tier_of(claim) for claim in claims} == {tier}


def test_a_higher_tier_is_worse():
    assert Tier.NONE < Tier.AFFIRMING < Tier.WARNING < Tier.CONTRAINDICATED


def test_a_vector_is_as_bad_as_its_worst_claim():
    assert TrustVector().worst is Tier.NONE
    assert TrustVector(instance_identity=2, sourced_data=2).worst is Tier.AFFIRMING
    assert TrustVector(instance_identity=2, storage_opaque=-33).worst is Tier.WARNING
    assert TrustVector(instance_identity=97, hardware=2).worst is Tier.CONTRAINDICATED


def test_the_claims_of_a_vector_have_the_keys_of_ar4si():
    assert TrustVector(*range(10, 18)).claims == {key: key + 10 for key in range(8)}
    assert TrustVector(executables=3).claims == {2: 3}


def test_an_appraisal_claims_nothing_by_itself():
    assert Appraisal(Tier.NONE) == Appraisal(Tier.NONE, TrustVector(), (), None)
