"""The pages that `durango attest` and `durango receipt verify` write."""

import json
from pathlib import Path

import cbor2
import pytest

from durango.cli.receipt.verdict_page import NOT_PROVEN
from durango.receipt_page import receipt_page
from support.forged_bundles import Forger
from support.page_text import read_alone


@pytest.fixture
def bundle(tmp_path):
    file = tmp_path / "receipts.cbor"
    file.write_bytes(Forger().bundle())
    return file


@pytest.fixture
def html(tmp_path):
    return tmp_path / "page.html"


def lines_of(text: str) -> list[str]:
    return [line.removeprefix("ok  ").strip() for line in text.splitlines()]


# durango attest


def test_the_page_of_an_attestation_says_what_the_command_says(world, html):
    policy = str(world.policy)
    facts = world.as_json("attest", policy, "--html", str(html))
    page = read_alone(html.read_text())
    assert facts["page"] == str(html)
    assert len(facts["checks"]) == page.text.count(": passed") == 12
    for each in facts["checks"]:
        assert f"{each['check']}: passed" in page.text
        assert each["found"] in page.text
        assert each["against"] in page.text
    for name in ("protection", "certificate_digest", "measurement", "verifier", "expires_at"):
        assert facts[name] in page.text


def test_a_page_of_a_refusal_has_what_held_before_and_the_same_exit_status(world, html):
    world.rig.launch(world.rig.policy(debug=True))
    told = world.complain("attest", str(world.policy), "--html", str(html), status=3)
    page = read_alone(html.read_text())
    assert "refused at policy" in page.text
    assert page.text.count(": failed") == 1
    assert "policy: failed" in page.text
    assert page.text.count(": passed") > 5
    assert "measurement: passed" in page.text
    found = told.partition("found ")[2].partition(",")[0]
    assert found in page.text


def test_what_differs_from_a_policy_beside_ones_own_does_not_hide_what_held(world, html):
    other = world.rig.policy(debug=True)
    world.rig.launch(other)
    (world.folder / "other.json").write_bytes(other.raw)
    world.complain("attest", str(world.policy), "--html", str(html), status=3)
    page = read_alone(html.read_text())
    assert "other.json is the isolate's" in page.text
    assert "measurement: passed" in page.text


def test_a_page_that_is_there_is_written_over_by_force_alone(world, html):
    html.write_text("mine")
    policy = str(world.policy)
    assert str(html) in world.complain("attest", policy, "--html", str(html), status=1)
    assert html.read_text() == "mine"
    world.run("attest", policy, "--html", str(html), "--force")
    read_alone(html.read_text())


# durango receipt verify


def test_the_page_of_receipts_says_what_the_command_says(world, bundle, html):
    words = ("receipt", "verify", str(bundle), "--html", str(html))
    text = world.run(*words).stdout
    page = read_alone(html.read_text())
    assert "1 receipt verified" in page.text
    assert all(line in page.text for line in lines_of(text))
    assert "this rests on policy" in page.text
    facts = json.loads(world.run(*words, "--force", "--json").stdout)
    (receipt,) = facts["receipts"]
    for name in ("program_digest", "measurement", "host_time", "engine", "end"):
        assert str(receipt[name]) in page.text
    assert all(each["commitment"] in page.text for each in receipt["inputs"])
    assert page.text.count(": passed") == 12


def test_it_says_what_it_does_not_prove_as_the_page_for_browsers_does(world, bundle, html):
    world.run("receipt", "verify", str(bundle), "--html", str(html))
    page, browsers = read_alone(html.read_text()), receipt_page().decode()
    for line in NOT_PROVEN:
        assert line in page.text
        assert json.dumps(line) in browsers


def test_the_page_of_what_was_compared_rests_on_nothing_else(world, bundle, html):
    own = Path(world.file("own.json", cbor2.loads(bundle.read_bytes())["policy"]))
    world.run("receipt", "verify", str(bundle), "--policy", str(own), "--html", str(html))
    page = read_alone(html.read_text())
    assert "nothing but what you gave" in page.text
    assert "this rests on" not in page.text


def test_receipts_that_do_not_hold_have_a_page_that_says_why(world, bundle, html):
    bundle.write_bytes(Forger(receipt=lambda honest: honest | {4: b"another"}).bundle())
    told = world.complain("receipt", "verify", str(bundle), "--html", str(html), status=3)
    page = read_alone(html.read_text())
    assert "not verified" in page.text
    assert told.removeprefix("durango: ").strip() in page.text
    assert "Believe nothing" in page.text


def test_an_attestation_in_a_bundle_that_fails_is_a_chain_with_its_failure(world, bundle, html):
    members = cbor2.loads(bundle.read_bytes())
    members["policy"] += b" "
    bundle.write_bytes(cbor2.dumps(members, canonical=True))
    world.complain("receipt", "verify", str(bundle), "--html", str(html), status=3)
    page = read_alone(html.read_text())
    assert "policy: failed" in page.text
    assert "measurement: passed" in page.text


def test_what_a_bundle_says_is_no_markup_in_the_page(world, bundle, html):
    words = "<script>alert(1)</script>"
    bundle.write_bytes(Forger(receipt=lambda honest: honest | {12: words}).bundle())
    file = bundle.rename(bundle.with_name("<b onclick=alert(1)>.cbor"))
    world.run("receipt", "verify", str(file), "--html", str(html))
    page = read_alone(html.read_text())
    assert words in page.text
    assert file.name in page.text


def test_a_page_of_receipts_is_written_over_by_force_alone(world, bundle, html):
    html.write_text("mine")
    words = ("receipt", "verify", str(bundle), "--html", str(html))
    assert str(html) in world.complain(*words, status=1)
    assert html.read_text() == "mine"
