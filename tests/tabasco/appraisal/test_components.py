"""Software that a token lists: all of it has to be named, by what it is and by who signed it."""

from datetime import UTC, datetime
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.cca_tokens import PLATFORM, PLATFORM_KEY, Recipe
from support.psa_tokens import CHALLENGE, DEVICE, sign1_by_hand, with_claims
from tabasco.appraisal.policy import AppraisalPolicy
from tabasco.errors import TabascoError
from tabasco.verify.arm.cca import verify_cca
from tabasco.verify.kinds import EvidenceKind
from tabasco.verify.means import Means
from tabasco.verify.psa import verify_psa

NOW = datetime(2026, 1, 1, tzinfo=UTC)
BOOT, ROOT, APP, OTHER = (bytes((n,)) * 32 for n in (0x11, 0x12, 0x13, 0x14))
MAKER, STRANGER = b"\x22" * 32, b"\x99" * 32
POLICY = f"""
version = 1

[psa]

[[psa.components]]
type = "BL"
measurement = ["{BOOT.hex()}"]
signer = ["{MAKER.hex()}"]

[[psa.components]]
type = "PRoT"
measurement = ["{ROOT.hex()}"]
signer = ["{MAKER.hex()}"]
version = {{ one_of = ["1.3.5", "1.3.6"] }}

[[psa.components]]
type = "App"
measurement = "reference-values"
signer = ["{OTHER.hex()}", "{MAKER.hex()}"]
optional = true
"""


def component(kind, measurement, signer=MAKER, version="1.3.5"):
    members = {1: kind, 2: measurement, 4: version, 5: signer}
    return {key: value for key, value in members.items() if value is not None}


GOOD = (component("BL", BOOT, version=None), component("PRoT", ROOT))


def decided(components, policy=POLICY):
    """What the policy says of a PSA token with these components."""
    token = sign1_by_hand(with_claims({2399: list(components)}))
    means = Means(keys=MappingProxyType({"*": DEVICE.public_key()}), nonce=CHALLENGE)
    proven = verify_psa(token, means, NOW)
    references = {(EvidenceKind.PSA, "App"): [APP]}
    return AppraisalPolicy.parse(policy.encode()).evaluate(
        proven, references=lambda kind, name: references.get((kind, name), ())
    )


def refusals(components, policy=POLICY):
    return [each.detail for each in decided(components, policy).checks if not each.passed]


def test_what_is_named_is_accepted_in_any_order_with_what_is_optional_or_without():
    for components in (GOOD, GOOD[::-1], (*GOOD, component("App", APP))):
        assert refusals(components) == []


@pytest.mark.parametrize(
    ("components", "told"),
    [
        ((*GOOD, component("PRoT", ROOT)), "PRoT#2, of type 'PRoT'"),
        ((*GOOD, component("PRoT", OTHER)), "one more than the policy names: 1 of that type"),
        ((*GOOD, component("NSPE", OTHER)), "one more than the policy names: none of that type"),
        ((*GOOD, component(None, ROOT)), "of no type"),
        ((*GOOD, component("App", OTHER)), "reference values, of which there are 1 now"),
        ((GOOD[0], component("PRoT", ROOT, STRANGER)), f"signer is {STRANGER.hex()}, the policy"),
        ((GOOD[0], component("PRoT", OTHER)), f"the policy accepts {ROOT.hex()}"),
        ((GOOD[0], component("PRoT", ROOT, version="1.3.4")), "version is '1.3.4', the policy"),
        ((GOOD[0], component("PRoT", ROOT, version=None)), "version is absent"),
        ((GOOD[0],), "PRoT is absent, the policy names it"),
        ((component("bl", BOOT), GOOD[1]), "BL is absent"),
    ],
)
def test_what_is_not_as_it_is_named_is_refused_with_both_sides(components, told):
    assert any(told in each for each in refusals(components))


@pytest.mark.parametrize("kind", ["x", "x" * 128])
def test_each_component_has_a_check_of_its_own_whatever_comes_of_it(kind):
    entry = f'[[psa.components]]\ntype = "{kind}"\nmeasurement = ["{ROOT.hex()}"]\n'
    policy = f'version = 1\n[psa]\n{entry}signer = ["{MAKER.hex()}"]\n'
    checks = decided([component(kind, ROOT), component("BL", BOOT)], policy).checks
    found = {each.name: each.passed for each in checks if each.name.startswith("component")}
    assert list(found.values()) == [True, False]
    assert "component.BL" in found


def test_one_reason_is_given_for_one_component():
    assert len(refusals((GOOD[0], component("PRoT", OTHER, STRANGER)))) == 1


def test_a_policy_that_names_no_component_refuses_all_of_them():
    assert len(refusals(GOOD, "version = 1\n[psa]\n")) == 2
    flat = f'version = 1\n[psa.measurements]\nBL = ["{BOOT.hex()}"]\nPRoT = ["{ROOT.hex()}"]\n'
    assert len(refusals(GOOD, flat)) == 2


@given(st.lists(st.sampled_from([BOOT, ROOT, APP]), min_size=1, max_size=5))
def test_each_entry_accepts_one_component(measured):
    """Two entries of one type: what is accepted is one of each, whatever the order."""
    entry = '[[psa.components]]\ntype = "x"\nmeasurement = ["{}"]\nsigner = ["{}"]\n'
    text = "version = 1\n[psa]\n" + "".join(
        entry.format(each.hex(), MAKER.hex()) for each in (BOOT, ROOT)
    )
    found = refusals([component("x", each) for each in measured], text)
    assert (found == []) == (sorted(measured) == [BOOT, ROOT])


@pytest.mark.parametrize("kind", ["PRoT.signer", "BL#1", "BL.signer", "x" * 60 + ".signer"])
def test_a_type_that_looks_like_something_else_hides_nothing(kind):
    token = sign1_by_hand(with_claims({2399: [*GOOD, component(kind, OTHER, STRANGER)]}))
    means = Means(keys=MappingProxyType({"*": DEVICE.public_key()}), nonce=CHALLENGE)
    proven = verify_psa(token, means, NOW)
    assert len(proven.measurements) == 6
    assert proven.measurements["PRoT.signer"] == MAKER
    assert {OTHER, STRANGER} <= {each.value for each in proven.revocable}


def test_the_platform_of_a_realm_is_named_piece_by_piece():
    boot, other = PLATFORM[2399]
    text = "version = 1\n[arm-cca]\n[arm-cca.measurements]\n" + f'rim = ["{"11" * 32}"]\n'
    boot_named = (
        f'[[arm-cca.components]]\ntype = "BL"\nmeasurement = ["{boot[2].hex()}"]\n'
        f'signer = ["{boot[5].hex()}"]\nversion = {{ equals = "1.0" }}\n'
    )
    other_named = (
        f'[[arm-cca.components]]\nmeasurement = ["{other[2].hex()}"]\n'
        f'signer = ["{other[5].hex()}"]\n'
    )
    whole = text + boot_named + other_named

    def details(text, **changes):
        token = Recipe(**changes).token()
        proven = verify_cca(token, key_for=lambda _: PLATFORM_KEY.public_key())
        checks = AppraisalPolicy.parse(text.encode()).evaluate(proven).checks
        return [each.detail for each in checks if not each.passed]

    assert details(whole) == []
    assert any("of no type" in each for each in details(text + boot_named))
    more = {2399: [boot, other, boot]}
    assert any("1 of that type" in each for each in details(whole, platform=more))


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ("[[sgx.components]]\ntype = 'x'\nmeasurement = ['00']\nsigner = ['00']", "sgx.components"),
        ("[[psa.components]]\ntype = 'x'\nmeasurement = ['00']", "signer"),
        ("[[psa.components]]\ntype = 'x'\nmeasurement = []\nsigner = ['00']", "measurement"),
        ("[[psa.components]]\ntype = 'x'\nmeasurement = ['00']\nsigner = []", "signer"),
        ("[[psa.components]]\ntype = ''\nmeasurement = ['00']\nsigner = ['00']", "type"),
        (
            f"[[psa.components]]\ntype = '{'x' * 129}'\nmeasurement = ['00']\nsigner = ['00']",
            "type",
        ),
        ("[[psa.components]]\ntype = 'x'\nmeasurement = 'any'\nsigner = ['00']", "any"),
        ("[[psa.components]]\ntype = 'x'\nmeasurement = ['00']\nsigner = ['00']\nmore = 1", "more"),
    ],
)
def test_an_entry_that_would_say_nothing_is_no_entry(entry, told):
    with pytest.raises(TabascoError, match=told):
        AppraisalPolicy.parse(f"version = 1\n{entry}\n".encode())


def test_a_component_under_measurements_is_warned_of():
    policy = AppraisalPolicy.parse(b'version = 1\n[psa.measurements]\nPRoT = ["00"]\n')
    assert "[[psa.components]]" in " ".join(policy.warnings())
