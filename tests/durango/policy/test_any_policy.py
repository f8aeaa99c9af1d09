"""Whatever policy can be read can be explained, drawn, checked, shown, compared and written."""

from html import escape
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from durango.policy.building import text_of_source
from durango.policy.conversion import policy_to_toml
from durango.policy.differences import diff_policies
from durango.policy.facts import policy_text
from durango.policy.meaning import explain_policy
from durango.policy.rules import RULES, Checked
from durango.policy.source import parse_source
from support.named_policies import document
from support.policies import NOW, certificate, pem, text
from veracruz_utils.policy import LINUX_SOFTWARE, Policy

ROLES = st.lists(
    st.sampled_from(["DataProvider", "StreamProvider", "ResultReader"]), min_size=1, unique=True
)
WHO = st.sampled_from(["any", "all"])
PRIVACY = {"mechanism": "laplace", "epsilon": "0.5", "total_epsilon": "2", "sensitivity": "1"}
RESULTS = [
    {},
    {"type": "u32", "bytes": 4},
    {"contributors": 1},
    {"type": "u32", "privacy": PRIVACY},
]
PLATFORMS = [LINUX_SOFTWARE, "nitro", "sev-snp", "elsewhere"]


@st.composite
def policies(draw) -> Policy:
    others = draw(st.lists(ROLES, max_size=5))
    roles = [["PiProvider", "ResultReader"][: draw(st.integers(1, 2))], *others]
    if not any("ResultReader" in each for each in roles):
        roles.append(["ResultReader"])
    names = [f"party {number}" if number % 2 else f"party-{number}" for number in range(len(roles))]
    people = [
        {"id": number, "name": name, "certificate": pem(certificate(name)), "roles": each}
        for number, (name, each) in enumerate(zip(names, roles, strict=True))
    ]
    if draw(st.booleans()):
        del people[0]["name"]

    def order(*roles: str) -> list[int]:
        able = [each["id"] for each in people if set(roles) & set(each["roles"])]
        return draw(st.lists(st.sampled_from(able), max_size=4)) if able else []

    data, streams = order("DataProvider"), order("DataProvider", "StreamProvider")
    result = draw(st.sampled_from(RESULTS)) if data else draw(st.sampled_from(RESULTS[:2]))
    platforms = draw(st.lists(st.sampled_from(PLATFORMS), min_size=1, unique=True))
    rounds = draw(st.integers(1, 5))
    terms = {
        "identities": people, "data_provision_order": data, "streaming_order": streams,
        "rounds": rounds, "attempts": draw(st.integers(1, 3)), "next_round": draw(WHO),
        "results_per_reader": draw(st.integers(1, rounds)), "result": result,
        "debug": draw(st.booleans()) and "privacy" not in result,
        "deterministic": draw(st.booleans()) and "privacy" not in result,
        "consent": draw(st.none() | WHO),
        "platforms": [{"name": each, "measurements": ["5a" * 48]} for each in platforms],
        "isolation": draw(st.sampled_from([[], ["seccomp"]])),
        "limits": {"fuel": draw(st.none() | st.just(9)), "idle_seconds": draw(st.integers(1, 9))},
    }  # fmt: skip
    return Policy.parse(text({**document(), **terms}), at=None)


@settings(max_examples=40)
@given(policies())
def test_its_meaning_names_everybody_and_every_platform_and_has_no_gap(policy):
    meaning = explain_policy(policy)
    told, page = str(meaning), meaning.to_html()
    for lines in meaning.facts.values():
        assert lines
        for line in lines:
            assert line.endswith((".", ")"))
            assert "  " not in line
            assert "None" not in line
    for identity in policy.identities:
        assert identity.label in told
        assert escape(identity.label) in page
    for platform in policy.platforms:
        assert f"On {platform.name}: " in told
    assert policy_text(policy)


@settings(max_examples=40)
@given(policies())
def test_every_rule_speaks_in_whole_sentences(policy):
    checked = Checked(policy, NOW, (), trusts_releases=False)
    for rule in RULES:
        for found in rule.find(checked):
            assert found
            assert "None" not in found


@settings(max_examples=40)
@given(policies(), policies())
def test_it_is_itself_and_differs_from_others_both_ways_alike(one, other):
    assert diff_policies(one, one).differences == ()
    there, back = diff_policies(one, other), diff_policies(other, one)
    if not there.differences:
        assert not back.differences
    assert bool(there.differences) == bool(back.differences)
    assert all(each.first != each.second for each in there.differences)


@settings(max_examples=40)
@given(policies())
def test_its_source_is_read_again(policy):
    source = parse_source(policy_to_toml(policy).encode(), folder=Path())
    assert len(source.principals) == len(policy.identities)
    assert len(source.inputs) == len(policy.inputs)
    assert len(source.streams) == len(policy.streams)


@settings(max_examples=40)
@given(policies())
def test_what_was_built_is_built_of_its_source_again_to_the_byte(policy):
    built, again = policy, policy
    for _ in range(2):
        source = parse_source(policy_to_toml(again).encode(), folder=Path())
        built, again = again, Policy.parse(text_of_source(source, releases=None, at=NOW), at=None)
    assert again.raw == built.raw
