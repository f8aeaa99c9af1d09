"""The page of a computation in Chromium, from the first look to the receipt, a view at a time.

The tests go on where those before them stopped, in this order, as two principals would.
"""

import html
import re
from datetime import UTC, datetime

import pytest
from axe_playwright_python.sync_playwright import Axe

from durango import ReceiptBundle, verify_bundle

pytestmark = [pytest.mark.xdist_group("browser"), pytest.mark.timeout(300)]
VIEWS = {
    "overview": ".places .state",
    "meaning": "table",
    "isolate": ".chain li",
    "part": ".card h2",
    "result": ".card h2",
}


def accessible(party) -> None:
    """No rule of axe is broken by what is shown."""
    found = Axe().run(party.page)
    assert found.violations_count == 0, found.generate_report()


@pytest.fixture
def clinic(parties):
    return parties[0]


@pytest.fixture
def office(parties):
    return parties[1]


def test_the_overview_tells_who_learns_what_and_what_is_missing(clinic, office):
    clinic.go("overview", VIEWS["overview"])
    text = clinic.page.locator("main").inner_text()
    assert "You are Klinikum Süd" in text
    assert '"Registry Office" learns the result.' in text
    assert clinic.page.locator(".drawing svg text").all_inner_texts()
    assert clinic.page.locator(".state.missing").count() == 3
    clinic.picture("overview")


def test_the_meaning_is_all_that_explain_says(clinic):
    clinic.go("meaning", VIEWS["meaning"])
    with clinic.page.expect_download() as saved:
        clinic.page.get_by_text("Save as a page for others").click()
    page = html.unescape(saved.value.path().read_text())
    titles = clinic.page.locator("h2").all_inner_texts()
    assert "What is not protected" in titles
    assert all(f"<h2>{title}</h2>" in page for title in titles)
    clinic.picture("meaning")


def test_the_isolate_is_a_chain_of_checks(clinic):
    clinic.go("isolate", VIEWS["isolate"])
    checks, links = clinic.page.locator("ol.chain").all()
    assert (checks.locator("li").count(), links.locator("li").count()) == (12, 5)
    clinic.picture("isolate")


def test_consent_is_given_by_a_button(clinic, office):
    for party in (clinic, office):
        party.go("part", VIEWS["part"])
        party.picture("consent")
        party.press("I agree to this policy")
        party.page.get_by_text("You agreed to this policy.").wait_for()


def test_a_wrong_file_is_refused_and_a_right_one_is_shown_before_it_is_sent(clinic):
    clinic.go("part", "input[type=file]")
    clinic.page.locator("input[type=file]").first.set_input_files(clinic.folder / "people.csv")
    clinic.press("Check this file")
    assert "the policy's program is" in clinic.wait_for(".note.error").inner_text()
    clinic.choose(clinic.folder / "program.wasm")
    clinic.press("Send it")
    clinic.page.get_by_text("It is in.").first.wait_for()
    clinic.choose(clinic.folder / "people.csv")
    assert "first row names the columns" in clinic.page.locator("main").inner_text()
    clinic.picture("part")
    clinic.press("Send it")
    with clinic.page.expect_download() as saved:
        clinic.page.get_by_text("Save the opening", exact=True).click()
    assert b'"salt"' in saved.value.path().read_bytes()


def test_another_principal_sees_it_come_in_without_asking_again(clinic, office):
    office.go("overview", VIEWS["overview"])
    office.page.locator(".state.in").nth(1).wait_for()
    office.go("part", "input[type=file]")
    office.choose(office.folder / "people.csv")
    office.press("Send it")
    office.page.get_by_text("It is in.").wait_for()
    clinic.go("overview", VIEWS["overview"])
    clinic.page.locator(".state.in").nth(2).wait_for()


def test_the_result_is_a_table_with_a_verified_receipt(office):
    office.go("result", VIEWS["result"])
    office.press("Have it run")
    office.wait_for("article")
    assert "120 rows" in office.wait_for("#live-result caption").inner_text()
    with office.page.expect_download() as saved:
        office.page.get_by_text("Save as CSV").click()
    assert saved.value.path().read_text().startswith("name,employee_id,age,grade\n")
    with office.page.expect_download() as saved:
        office.page.get_by_text("Save all that proves the runs").click()
    found = verify_bundle(ReceiptBundle.parse(saved.value.path().read_bytes()))
    assert found.policy.expires_at > datetime.now(UTC)
    office.picture("result")


def test_who_reads_no_result_has_its_receipt_with_its_own_input_in_it(clinic):
    clinic.go("result", "article")
    text = clinic.page.locator("article").inner_text()
    assert "your own input" in text
    clinic.picture("receipt")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", VIEWS)
def test_every_view_is_accessible_in_light_and_dark_and_fits_a_phone(office, view, scheme):
    office.page.emulate_media(color_scheme=scheme)
    office.page.set_viewport_size({"width": 360, "height": 740})
    office.go(view, VIEWS[view])
    width = office.page.evaluate("document.documentElement.scrollWidth")
    office.picture(f"{view}-phone-{scheme}")
    assert width <= 360
    accessible(office)
    office.page.set_viewport_size({"width": 1000, "height": 800})
    accessible(office)


def test_the_page_is_used_by_the_keyboard_alone(office):
    office.go("overview", VIEWS["overview"])
    office.page.goto(f"{office.origin}/meaning")
    office.wait_for("table")
    office.page.keyboard.press("Tab")
    assert office.page.evaluate("document.activeElement.className") == "skip"
    office.page.keyboard.press("Enter")
    assert office.page.evaluate("document.activeElement.id") == "view"
    office.page.keyboard.press("Tab")
    assert "Save as a page" in office.page.evaluate("document.activeElement.textContent")


def test_the_page_speaks_german(office):
    office.page.get_by_text("Deutsch").click()
    office.page.get_by_role("heading", name="Was es bedeutet").first.wait_for()
    office.go("overview", VIEWS["overview"])
    text = office.page.locator("main").inner_text()
    assert '"Registry Office" erfährt das Ergebnis.' in text
    office.picture("overview-german")
    office.go("isolate", ".chain li")
    assert "Verglichen mit" in office.page.locator("main").inner_text()
    office.picture("isolate-german")
    accessible(office)
    office.page.get_by_text("English").click()
    office.page.get_by_role("heading", name="The isolate").first.wait_for()


def test_the_link_is_no_use_a_second_time_and_its_word_is_not_kept(chromium, office):
    assert "#" not in office.page.url
    context = chromium.new_context()
    page = context.new_page()
    page.goto(f"{office.origin}/#{'x' * 43}")
    page.locator(".lost:not([hidden])").wait_for()
    assert "not let in" in page.locator(".lost").inner_text()
    assert "Registry" not in page.content()
    context.close()


def test_nothing_was_blocked_or_failed_and_nothing_came_from_elsewhere(clinic, office):
    assert clinic.said == []
    assert office.said == []
    sources = re.findall(r'(?:src|href)="(https?:[^"]*)"', office.page.content())
    assert sources == []
