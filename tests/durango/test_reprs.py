"""What a prompt and a notebook show of values: short, by name, no secret, and nobody's markup."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from colima.runtime import ComputationState, ContentKind, Failure, Filling, InputPlace, StateIs
from durango import (
    Attestation,
    CommitmentOpening,
    ComputationStatus,
    Principal,
    ReceiptBundle,
    Replay,
    SavedAttestation,
    attest,
    check_policy,
    diff_policies,
    explain_policy,
    verify_bundle,
)
from durango._html import bullets, heading, paragraph, table
from durango.evidence import GateCheck, Passed
from durango.policy.hands import Held
from support.named_policies import parse
from support.patience import PATIENCE_S
from support.policies import NOW
from support.principal_rig import PROGRAM, SALT
from veracruz_utils.digest import Digest
from veracruz_utils.secret import Secret

HOSTILE = '<script>alert(1)</script><img src=x onerror="alert(2)">\x1b[2J\u202e'
VOID = {"meta", "path", "rect", "line", "br"}


class Markup(HTMLParser):
    """A piece of HTML: balanced, and what is in it."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.add(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def harmless(html: str) -> Markup:
    """The HTML, in which nothing runs or is loaded from anywhere."""
    markup = Markup(html)
    assert not markup.tags & {"script", "img", "iframe", "object", "a", "link", "form", "style"}
    assert not {name for name in markup.attributes if name.startswith("on")}
    assert not markup.attributes & {"src", "href"}
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e]", html)
    return markup


@pytest.fixture
def computed(rig):
    """Everything that a computation leaves with its principals."""
    policy = rig.isolate.policy
    attestation = attest(policy)

    def connect(who):
        return Principal.connect(policy, who, attestation, timeout_s=PATIENCE_S)

    with connect(rig.alice) as alice:
        alice.send_program(PROGRAM)
    with connect(rig.bob) as bob:
        opening = bob.send_data(0, b"bob's secret")
    with connect(rig.carol) as carol:
        carol.send_data(0, b"carol's secret")
        output, outcome = carol.result()
        bundle = ReceiptBundle.of([outcome.signed_receipt], attestation, policy)
        found = [policy, attestation, opening, carol, carol.status(), outcome, bundle]
    verified = verify_bundle(bundle, policy=policy, output=Digest.of(output), openings=[opening])
    return [*found, verified, SavedAttestation.of(attestation, at=NOW), rig.carol]


def secrets_of(rig, computed) -> list[bytes]:
    """What nobody may read on a screen."""
    inputs = [b"bob's secret", b"carol's secret", b"bob's secretcarol's secret"]
    digests = [Digest.of(each).value for each in inputs]
    keys = [
        each.private_key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        for each in (rig.alice, rig.bob, rig.carol)
    ]
    numbers = [
        each.private_key.private_numbers().private_value.to_bytes(32, "big")
        for each in (rig.alice, rig.bob, rig.carol)
    ]
    return [*inputs, *digests, *keys, *numbers, SALT]


def test_no_value_shows_a_secret_and_every_one_is_short(rig, computed):
    planted = secrets_of(rig, computed)
    for value in computed:
        told = repr(value)
        assert len(told) < 400, told
        for secret in planted:
            forms = (secret.hex(), repr(secret)[2:-1], str(int.from_bytes(secret, "big")))
            assert not any(form in told for form in forms), (told, secret)


def test_values_are_told_by_what_they_are_called(rig, computed):
    told = [repr(value) for value in computed]
    policy, attestation, opening, principal, standing, outcome, bundle, verified, _, me = told
    digest = rig.isolate.policy.digest
    assert str(digest) in policy
    assert digest.short in attestation
    assert attestation.startswith("<Attestation: isolate ")
    assert "on linux-software-root" in attestation
    assert opening.startswith("<CommitmentOpening: data package 0 of client 1, commitment ")
    assert principal.startswith(f"<Principal: client 2 of policy {digest.short}, isolate ")
    assert standing.startswith(
        "<ComputationStatus: FINISHED_EXECUTING, round 1: the result can be fetched"
    )
    assert outcome == "<FetchedResult: 26 bytes, receipt 1 of round 1>"
    assert bundle == f"<ReceiptBundle: 1 receipt, policy {digest.short}>"
    assert verified.startswith("<VerifiedBundle: 1 receipt by isolate ")
    assert me == f"<Identity: {rig.carol.digest.short}>"


def test_notebooks_show_what_was_checked_and_what_came_of_it(computed):
    _, attestation, _, _, standing, outcome, _, verified, *_ = computed
    shown = harmless(attestation._repr_html_())
    assert all(passed.check.value in shown.text for passed in attestation.checks)
    assert all(passed.found in shown.text for passed in attestation.checks)
    assert "protects nothing against the owner" in shown.text
    assert "the result can be fetched by client 2" in harmless(standing._repr_html_()).text
    assert str(outcome.output_digest) in harmless(outcome._repr_html_()).text
    assert "ok" not in harmless(verified._repr_html_()).tags
    assert "this rests on policy" in harmless(verified._repr_html_()).text


def test_a_policys_meaning_check_and_differences_are_shown(tmp_path):
    policy = parse(inputs=[{"name": "patients", "type": "Vec<u32>"}, {}, {}], debug=True)
    explanation = explain_policy(policy)
    shown = harmless(explanation._repr_html_())
    assert all(line in shown.text for each in explanation.sections for line in each.lines)
    assert "svg" in shown.tags
    assert repr(explanation).count("\n") == 0
    program = tmp_path / "program.wasm"
    program.write_bytes(b"other")
    check = check_policy(policy, program=program, at=NOW)
    shown = harmless(check._repr_html_())
    assert all(each.text in shown.text for each in check.remarks)
    assert "cannot be used" in shown.text
    assert repr(check).startswith(f"<PolicyCheck: policy {policy.digest.short}, not usable, ")
    diff = diff_policies(policy, parse())
    shown = harmless(diff._repr_html_())
    assert "debug" in shown.text
    assert repr(diff).endswith(f"{len(diff.differences)} terms differ>")
    assert "both are policy" in harmless(diff_policies(policy, policy)._repr_html_()).text


def hostile_values(rig, computed) -> list:
    policy, attestation, _, _, _, outcome, _, verified, *_ = computed
    strange = replace(
        policy,
        identities=tuple(replace(each, name=HOSTILE) for each in policy.identities),
        inputs=tuple(replace(each, name=HOSTILE, type=HOSTILE) for each in policy.inputs),
        platforms=tuple(replace(each, name=HOSTILE) for each in policy.platforms),
    )
    checks = (Passed(GateCheck.RESULT_STATUS, HOSTILE, HOSTILE),)
    claimed: Attestation = replace(
        attestation, platform=HOSTILE, verifier=HOSTILE, version=HOSTILE, checks=checks
    )
    receipt = replace(outcome.receipt, engine=HOSTILE[:50], strategy=HOSTILE[:25])
    place = InputPlace(
        kind=ContentKind.DATA, index=0, client_id=1, filling=Filling.FILLED, package_id=0, size=3,
        since=1,
    )  # fmt: skip
    found = StateIs(
        ComputationState.READY_TO_EXECUTE, 1, running=False, failure=Failure.TRAPPED,
        places=(place,), consent_awaited=(0, 1, 2),
    )  # fmt: skip
    check = check_policy(policy, at=NOW)
    return [
        explain_policy(strange),
        replace(check, held=(Held(HOSTILE, HOSTILE, fits=False),)),
        diff_policies(policy, strange),
        claimed,
        ComputationStatus(found, strange),
        replace(outcome, receipt=receipt),
        replace(verified, policy=strange, receipts=(receipt,), attestation=claimed),
        Replay(receipt, (HOSTILE,), (HOSTILE,), HOSTILE, 1.0, None),
    ]


def test_hostile_names_are_text_wherever_they_are_shown(rig, computed):
    for value in hostile_values(rig, computed):
        shown = harmless(value._repr_html_())
        assert "<script>" in shown.text or "\\x1b" in shown.text, value
        assert "\x1b" not in repr(value), value


@pytest.mark.parametrize("make", [heading, paragraph, lambda text: bullets([text] * 2)])
def test_pieces_are_escaped(make):
    assert "<script>" in harmless(make(HOSTILE)).text


def test_tables_are_escaped_in_head_and_cells_and_nothing_is_cut():
    html = table((HOSTILE,), [(HOSTILE,), ("x" * 10_000,)])
    assert harmless(html).text.count("<script>") == 2
    assert "x" * 10_000 in html


def test_a_secret_in_an_opening_is_in_its_file_alone():
    salt = Secret(b"planted salt, of thirty-two bytes")
    opening = CommitmentOpening(1, 0, ContentKind.DATA, Digest.of(b"guess me"), salt)
    assert salt.reveal().hex() in opening.to_json().decode()
    for told in (repr(opening), str(opening), f"{opening}"):
        assert salt.reveal().hex() not in told
        assert str(opening.digest) not in told


def test_a_missing_or_enormous_policy_is_told_by_its_name(tmp_path):
    from durango import PolicyError, VeracruzError, read_policy  # noqa: PLC0415

    with pytest.raises(VeracruzError, match=r"cannot read policy .*nowhere.json: no such file"):
        read_policy(tmp_path / "nowhere.json")
    large = tmp_path / "large.json"
    with large.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(VeracruzError, match=r"large.json has more than \d+ bytes"):
        read_policy(str(large))
    source = tmp_path / "policy.toml"
    source.write_text("days = 30\n")
    with pytest.raises(PolicyError, match="durango policy build"):
        read_policy(source)
    assert Path(source).exists()
