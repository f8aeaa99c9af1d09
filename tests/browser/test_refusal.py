"""An isolate that is refused, as its principal sees it: which check failed, in both languages."""

import re
import subprocess
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

from support.patience import PATIENCE_S
from support.runtime_guests import HELLO
from support.stack import PI, RESULT, SCRIPTS, Stack

pytestmark = [pytest.mark.xdist_group("browser"), pytest.mark.timeout(300)]
SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
PHONE = {"width": 360, "height": 740}


@pytest.fixture(scope="module")
def page(chromium, tmp_path_factory):
    """At the page of a principal whose policy file is not the one that the isolate has."""
    stack = Stack(tmp_path_factory.mktemp("veracruz"))
    try:
        with stack.computation([PI], [RESULT], program=HELLO) as computation:
            own = tmp_path_factory.mktemp("own") / "policy.json"
            own.write_bytes(computation.policy_file.read_bytes() + b"\n")
            words = [own, "--sinaloa", computation.address, *computation.who(0)]
            process = subprocess.Popen(
                [SCRIPTS / "durango", "ui", *map(str, words)],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            page = chromium.new_page(locale="de-DE")
            page.set_default_timeout(PATIENCE_S * 1000)
            page.goto(process.stdout.readline().strip())
            yield page
            page.close()
            process.terminate()
            process.communicate(timeout=PATIENCE_S)
    finally:
        stack.close()


def test_a_refusal_says_in_german_which_check_failed_and_what_to_do(page):
    page.locator(".standing.bad").wait_for()
    page.locator('nav a[href="/isolate"]').click()
    page.locator(".chain li.failed").wait_for()
    said = page.locator("main").inner_text()
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / "refusal-german.png", full_page=True)
    assert "Eine Prüfung ist gescheitert" in said
    assert "linux-software-root, ein Vertrauensanker in Software" in said
    for english in ("Found", "Expected", "What to do", r"\bthe\b", r"\byour\b", r"\bof\b"):
        assert not re.search(english, said), said


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_accessible_and_fits_a_phone(page, scheme):
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size(PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.screenshot(path=SCREENSHOTS / f"refusal-german-phone-{scheme}.png", full_page=True)
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
