"""The delegate's page in Chromium: what it shows live, in both schemes and on a phone."""

import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

from support.patience import PATIENCE_S
from support.runtime_guests import HELLO
from support.stack import PI, RESULT, Stack

pytestmark = [pytest.mark.xdist_group("browser"), pytest.mark.timeout(300)]
SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
PHONE = {"width": 360, "height": 740}


@pytest.fixture(scope="module")
def computation(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SINALOA_SERVE_DASHBOARD", "0")
        stack = Stack(tmp_path_factory.mktemp("veracruz"))
        try:
            with stack.computation([PI], [RESULT], program=HELLO) as found:
                yield found
        finally:
            stack.close()


@pytest.fixture(scope="module")
def page(chromium, computation):
    link = re.findall(r"dashboard on (http://\S+)", computation.sinaloa.last_words)[-1]
    page = chromium.new_page(locale="en")
    page.set_default_timeout(PATIENCE_S * 1000)
    page.said = []
    page.on("console", lambda message: page.said.append(message.text))
    page.on("pageerror", lambda error: page.said.append(str(error)))
    page.goto(link)
    page.locator("table").wait_for()
    yield page
    page.close()


def test_sessions_are_seen_as_they_come_and_go(page, computation):
    assert page.locator("tbody tr").count() == 1
    assert "< 1 min" in page.locator("tbody").inner_text()
    with computation.caller(0) as caller:
        caller.ask_state()
        page.locator("tbody td", has_text=re.compile("^1$")).first.wait_for()
        page.locator("tbody td", has_text=re.compile(r"^1 / \d+$")).first.wait_for()
    page.locator("dt", has_text="sessions ended").wait_for()
    reasons = page.locator("dd", has_text="the isolate or the principal ended it")
    reasons.or_(page.locator("dd", has_text="the principal went away")).first.wait_for()
    page.locator("dd", has_text=re.compile(r"answered: \d")).wait_for()
    assert str(computation.policy.digest)[:16] in page.locator("tbody th").inner_text()
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / "dashboard.png", full_page=True)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_rule_of_accessibility_is_broken(page, scheme):
    page.emulate_media(color_scheme=scheme)
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    page.screenshot(path=SCREENSHOTS / f"dashboard-{scheme}.png", full_page=True)


def test_it_speaks_german_fits_a_phone_and_complains_of_nothing(page):
    page.get_by_role("link", name="Deutsch").click()
    page.locator("h2", has_text="Seit dem Start").wait_for()
    carried = page.locator("dt", has_text="Bytes zu Isolaten").locator("xpath=following::dd[1]")
    assert re.fullmatch(r"\d{1,3}(\.\d{3})+", carried.inner_text())  # some thousands
    page.screenshot(path=SCREENSHOTS / "dashboard-german.png", full_page=True)
    page.set_viewport_size(PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.screenshot(path=SCREENSHOTS / "dashboard-phone.png", full_page=True)
    assert page.said == []
