"""A principal's page over real gRPC and TLS: what it shows, sends, fetches and refuses."""

import html
import json
import re
from dataclasses import replace

import pytest

from colima import runtime
from colima.runtime import ComputationState, Upload
from durango import CommitmentOpening, ReceiptBundle, verify_bundle
from durango.policy.explanation import sections_of
from support.principal_rig import PROGRAM
from support.ui_browser import page_of
from veracruz_utils.encoding.pinecone import encode, parse_type
from veracruz_utils.encoding.sql_tables import ROWS
from veracruz_utils.policy import RUNTIME_LAYERS

PEOPLE = "Vec<{name: String, age: u8}>"
LONG = "x" * 200_000


def typed(rig):
    """The rig with a policy that says types."""
    place = {"type": PEOPLE}
    rig.launch(rig.policy(terms={"inputs": [place, place], "result": {"type": PEOPLE}}))
    return rig


def provided(rig):
    """The rig when only bob's input is missing."""
    isolate = rig.isolate
    isolate.program, isolate.state = PROGRAM, ComputationState.DATA_SOURCES_LOADING
    isolate.inputs[2, 0] = b""
    return rig


def ticket_of(view: str, words: str) -> str:
    return re.search(rf'href="(/file/[^"]+)"[^>]*>{words}', view)[1]


def uploads(rig) -> list[Upload]:
    return [each for each in rig.isolate.seen if isinstance(each, Upload)]


def test_the_overview_says_who_learns_what_in_the_words_of_explain(browser, rig):
    view = html.unescape(browser.wait_for("waiting for the program", "overview"))
    for section in sections_of(rig.isolate.policy):
        if section.key in {"gives", "learns"}:
            assert all(line in view for line in section.lines)
    assert "<svg" in view


def test_the_meaning_has_every_sentence_of_explain(browser, rig):
    view = html.unescape(browser.view("meaning"))
    for section in sections_of(rig.isolate.policy):
        assert all(line in view for line in section.lines), section.key
    for identity in rig.isolate.policy.identities:
        assert str(identity.digest) in view


def test_every_step_of_the_gate_is_shown_with_what_it_was_compared_with(browser, rig):
    view = browser.wait_for("All checks hold", "isolate")
    checks, chain = view.split("What vouches for what")
    assert (checks.count("<li>"), chain.count("<li>")) == (12, 5)
    assert "none: linux-software-root" in chain
    assert str(rig.isolate.policy.digest) in view


def test_a_refused_isolate_shows_the_steps_before_and_the_one_that_failed(rig):
    rig.spoil_claims = lambda claims: replace(claims, isolation=frozenset())
    rig.launch(rig.policy(isolation=RUNTIME_LAYERS))
    with page_of(rig) as browser:
        browser.enter()
        view = browser.wait_for("A check failed", "isolate")
        assert view.count("<li>") == 10
        assert view.count('class="failed"') == 1
        assert "Walls of the isolate" in view
        assert "The isolate was refused" in browser.view("overview")
    assert rig.isolate.seen == []


def test_a_part_that_did_not_change_is_not_sent_again(browser):
    view = browser.wait_for("waiting for the program", "overview")
    seen = re.search(r"/view/live/places\?seen=(\w+)", view)[1]
    answer = browser.client.get(f"/view/live/places?seen={seen}", headers=browser.ours)
    assert answer.status_code == 204
    assert browser.view("live/places?seen=other")


def test_an_input_is_shown_before_it_is_sent_and_its_opening_can_be_saved(rig):
    provided(typed(rig))
    with page_of(rig) as browser:
        browser.enter().wait_for("waiting for data", "part")
        chosen = {"file": ("people.csv", b"name,age\nAda,36\nGrace,85\n")}
        view = browser.do("choose", chosen, kind="DATA", package="0")
        assert "Ada" in view
        assert "its first row names the columns" in view
        assert uploads(rig) == []
        browser.do("send", kind="DATA", package="0")
        view = browser.wait_for("Save the opening", "part")
        opening = browser.client.get(ticket_of(view, "Save the opening"))
        assert CommitmentOpening.from_json(opening.content).client_id == 1
    sent = encode(parse_type(PEOPLE), [{"name": "Ada", "age": 36}, {"name": "Grace", "age": 85}])
    assert rig.isolate.inputs[1, 0] == sent


@pytest.mark.parametrize(
    ("text", "how"),
    [
        (b"name;age\nAda;36\n", {"delimiter": "semicolon"}),
        ("name,age\nZo\u00eb,36\n".encode("cp1252"), {"encoding": "cp1252"}),
        (b"Ada,36\n", {}),
    ],
)
def test_a_table_is_read_as_its_owner_says(rig, text, how):
    typed(rig)
    with page_of(rig) as browser:
        chosen = {"file": ("people.csv", text)}
        view = browser.enter().do("choose", chosen, kind="DATA", package="0", **how)
        assert "Nothing of it was sent yet" in view


def test_a_file_that_does_not_fit_is_refused_where_it_was_chosen_and_stays_here(rig):
    typed(rig)
    with page_of(rig) as browser:
        chosen = {"file": ("people.csv", b"name,age\nAda,old\n")}
        view = html.unescape(browser.enter().do("choose", chosen, kind="DATA", package="0"))
        assert "people.csv" in view
        assert "'old'" in view
        assert "Send it" not in view
        # Until something else is done: the page asks for its parts every other second.
        assert "'old'" in html.unescape(browser.view("part"))
    assert uploads(rig) == []


def test_what_a_file_says_becomes_no_markup(rig):
    typed(rig)
    with page_of(rig) as browser:
        chosen = {"file": ("<b>.csv", b"name,age\n<script>x</script>,36\n")}
        view = browser.enter().do("choose", chosen, kind="DATA", package="0")
        assert "<script>" not in view
        assert "<b>" not in view
        assert "&lt;script&gt;" in view


def test_an_upload_that_broke_off_is_gone_on_with(rig):
    provided(rig)
    with page_of(rig) as browser:
        browser.enter().wait_for("waiting for data", "part")
        browser.do("choose", {"file": ("b", b"bob's")}, kind="DATA", package="0")
        rig.isolate.last_word = runtime.Refused(
            runtime.ResponseStatus.NOT_READY, runtime.RefusalReason.WRONG_STATE, "A", "B"
        )
        browser.do("send", kind="DATA", package="0")
        browser.wait_for("Go on where it stopped", "part")
        rig.isolate.last_word = None
        browser.do("send", kind="DATA", package="0")
        browser.wait_for("Save the opening", "part")
    assert rig.isolate.inputs[1, 0] == b"bob's"


def test_the_program_is_sent_by_its_author_and_only_that_program(rig):
    with page_of(rig, "alice") as browser:
        browser.enter()
        view = browser.do("choose", {"file": ("other", b"x")}, kind="PROGRAM", package="0")
        assert "has digest" in view
        browser.do("choose", {"file": ("program", PROGRAM)}, kind="PROGRAM", package="0")
        browser.do("send", kind="PROGRAM", package="0")
        browser.wait_for("waiting for data", "part")
    assert rig.isolate.program == PROGRAM


def test_what_the_policy_does_not_give_is_refused_by_name(browser, rig):
    view = browser.do("choose", {"file": ("program", PROGRAM)}, kind="PROGRAM", package="0")
    assert "may not send program" in view
    assert "you do not read the result" in browser.do("fetch")
    assert not [x for x in rig.isolate.seen if isinstance(x, runtime.GetResult | Upload)]


@pytest.mark.parametrize(
    "form", [{"kind": "KEY", "package": "0"}, {"kind": "DATA", "package": "-1"}, {}]
)
def test_a_form_that_no_page_has_is_a_bad_request(browser, form):
    answer = browser.client.post("/do/send", data=form, headers=browser.ours)
    assert answer.status_code == 400


def test_the_result_is_a_table_with_receipts_that_were_compared(rig):
    provided(typed(rig))
    rows = encode(parse_type(PEOPLE), [{"name": "Ada", "age": 36}])
    rig.isolate.inputs[1, 0] = b""
    rig.isolate.compute = lambda _: rows
    rig.isolate.settle()
    with page_of(rig, "carol") as browser:
        browser.enter().wait_for("Have it run", "result")
        browser.do("fetch")
        view = browser.wait_for("What was compared", "result")
        assert "<td>Ada</td><td>36</td>" in view
        assert "the result that you fetched" in view
        saved = browser.client.get(ticket_of(view, "Save the result"))
        assert saved.content == rows
        assert browser.client.get(ticket_of(view, "Save as CSV")).text == "name,age\nAda,36\n"
        assert "cells that begin with =" in view
        assert json.loads(browser.client.get(ticket_of(view, "Save as JSON")).text) == [
            {"name": "Ada", "age": 36}
        ]
        bundle = browser.client.get(ticket_of(view, "Save all that proves"))
        found = verify_bundle(ReceiptBundle.parse(bundle.content), policy=rig.isolate.policy)
        assert len(found.receipts) == 1


def ready_with(rig, kind: str, value: object):
    """The rig when a run would give this value of this type."""
    rig.launch(rig.policy(terms={"result": {"type": kind}, "rounds": 3}))
    provided(rig).isolate.inputs[1, 0] = b""
    rig.isolate.compute = lambda _: encode(parse_type(kind), value)
    rig.isolate.settle()
    return page_of(rig, "carol")


@pytest.mark.parametrize(
    ("kind", "value", "csv"),
    [
        ("Vec<u64>", [1, 2], "1\n2\n"),
        ("Vec<Vec<u32>>", [[1, 2], [3]], None),
        ("Vec<{a: {b: u8}}>", [{"a": {"b": 1}}], None),
        (
            ROWS,
            {"columns": ["a"], "rows": [[{"Text": "x" * 200_000}]]},
            "a\n" + "x" * 200_000 + "\n",
        ),
    ],
)
def test_every_result_is_shown_and_saved_in_the_forms_that_can_hold_it(rig, kind, value, csv):
    with ready_with(rig, kind, value) as browser:
        browser.enter().wait_for("Have it run", "result")
        browser.do("fetch")
        view = browser.wait_for("Save the result", "result")
        saved = {words: browser.client.get(ticket_of(view, words)) for words in ("Save as JSON",)}
        if csv is None:
            assert "Save as CSV" not in view
        else:
            saved["csv"] = browser.client.get(ticket_of(view, "Save as CSV"))
            assert saved["csv"].text == csv
        assert {each.status_code for each in saved.values()} == {200}


def test_another_round_that_somebody_else_began_has_a_result_to_be_fetched(rig):
    with ready_with(rig, "Vec<u16>", [1]) as browser:
        browser.enter().wait_for("Have it run", "result")
        browser.do("fetch")
        browser.wait_for("Save the result", "result")
        rig.isolate.round, rig.isolate.ended = 2, None
        rig.isolate.settle()
        assert "Save the result" not in browser.wait_for("Have it run", "result")


def test_a_receipt_that_does_not_fit_is_no_result(rig):
    provided(rig)
    rig.isolate.inputs[1, 0] = b""
    rig.isolate.spoil_receipt = lambda receipt: replace(receipt, policy_digest=bytes(32))
    rig.isolate.settle()
    with page_of(rig, "carol") as browser:
        browser.enter().wait_for("Have it run", "result")
        browser.do("fetch")
        view = browser.wait_for("the receipt&#39;s policy is", "result")
        assert "Save the result" not in view


def test_consent_is_one_button_and_can_be_taken_back(rig):
    rig.launch(rig.policy(terms={"consent": "all"}))
    with page_of(rig) as browser:
        browser.enter().wait_for("I agree to this policy", "part")
        view = browser.do("consent")
        assert "You agreed" in view
        assert 1 not in rig.isolate.consents.awaited
        assert "I agree" in browser.do("revoke")
        assert 1 in rig.isolate.consents.awaited


def test_what_was_compared_is_said_in_german_too(browser):
    german = {"Accept-Language": "de"}
    view = browser.wait_for("die Plattformen, die meine Policy nennt", "isolate", **german)
    assert "SHA-256 meiner Policy-Datei" in view
    assert "my policy" not in view


def test_the_page_speaks_german_to_whoever_prefers_it(browser):
    prefers = {"Accept-Language": "de-CH,en"}
    view = browser.wait_for("Alle Pr\u00fcfungen sind bestanden", "isolate", **prefers)
    assert "Verglichen mit" in view
    shell = browser.client.get("/isolate?language=de")
    assert '<html lang="de">' in shell.text
    assert "Das Isolat" in browser.view("isolate")
