"""All three pages in a second browser, WebKit: the same verdicts, and the pages do what they do."""

import base64
import re
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest

from durango.bundles import ReceiptBundle, verify_bundle
from durango.receipt_page import receipt_page
from support.forged_bundles import forged_bundles
from support.keyed_bundles import keyed_bundles
from support.patience import PATIENCE_S
from support.runtime_guests import HELLO
from support.stack import PI, RESULT, SCRIPTS, Stack
from support.webkit import missing, webkit
from veracruz_utils.errors import VeracruzError

pytestmark = [
    pytest.mark.xdist_group("browser"),
    pytest.mark.timeout(300),
    pytest.mark.skipif(bool(missing()), reason=missing() or "-"),
]
SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
VERDICTS = """
const [bundles, done] = arguments;
(async () => {
  const held = [];
  for (const text of bundles) {
    const bytes = Uint8Array.from(atob(text), (each) => each.charCodeAt(0));
    try {
      await verifyBundle(bytes);
      held.push(true);
    } catch (problem) {
      held.push(problem instanceof Refused ? false : String(problem));
    }
  }
  return held;
})().then(done, (problem) => done(String(problem)));
"""
AT_ONCE = 40


class Browser:
    """WebKit, as somebody uses it."""

    def __init__(self, driver) -> None:
        from selenium.webdriver.common.by import By  # noqa: PLC0415 - where it is wanted
        from selenium.webdriver.support.wait import WebDriverWait  # noqa: PLC0415

        self.driver = driver
        self._css, self._xpath = By.CSS_SELECTOR, By.XPATH
        self._wait = WebDriverWait(driver, PATIENCE_S)

    def open(self, link: str) -> None:
        self.driver.get("about:blank")  # so that a link with the same page and another word counts
        self.driver.get(link)

    def find(self, what: str):
        return self._wait.until(
            lambda driver: next(iter(driver.find_elements(self._css, what)), None)
        )

    def count(self, what: str) -> int:
        return len(self.driver.find_elements(self._css, what))

    def says(self, words: str) -> str:
        """All of the page, once it says this."""
        self._wait.until(lambda _: re.search(words, self.text), f"{words!r} is not in it")
        return self.text

    @property
    def text(self) -> str:
        return self.driver.execute_script("return document.body.innerText")

    def press(self, words: str) -> None:
        """A button or a link, found again where what is shown was replaced meanwhile."""
        script = (
            "const found = [...document.querySelectorAll('button, a')]"
            ".find((each) => each.innerText.includes(arguments[0]) && !each.disabled);"
            "if (found) found.click(); return Boolean(found);"
        )
        self._wait.until(lambda driver: driver.execute_script(script, words), words)

    def picture(self, name: str) -> None:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.driver.save_screenshot(str(SCREENSHOTS / f"webkit-{name}.png"))


@pytest.fixture(scope="module")
def browser():
    pytest.importorskip("selenium", reason="there is no Selenium: pip install selenium")
    with webkit() as driver:
        yield Browser(driver)


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
def links(computation):
    """To the pages of the two principals."""
    with ExitStack() as processes:
        found = []
        for number in (0, 1):
            words = [computation.policy_file, "--sinaloa", computation.address]
            process = subprocess.Popen(
                [SCRIPTS / "durango", "ui", *map(str, [*words, *computation.who(number)])],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            processes.callback(process.communicate, timeout=PATIENCE_S)
            processes.callback(process.terminate)
            found.append(process.stdout.readline().strip())
        yield found


def reference(data: bytes) -> bool:
    try:
        verify_bundle(ReceiptBundle.parse(data))
    except VeracruzError:
        return False
    return True


def test_the_receipt_page_has_the_verdicts_of_the_command(browser, tmp_path):
    file = tmp_path / "receipts.html"
    file.write_bytes(receipt_page())
    browser.open(file.as_uri())
    bundles = forged_bundles() | keyed_bundles()
    texts = [base64.b64encode(each).decode() for each in bundles.values()]
    found = []
    for first in range(0, len(texts), AT_ONCE):
        found += browser.driver.execute_async_script(VERDICTS, texts[first : first + AT_ONCE])
    held = dict(zip(bundles, found, strict=True))
    small = r"(?!RSA 1024|secp192|secp224)"
    for name, data in bundles.items():
        # By a hash that no browser has, the page believes nothing.
        unknown = re.match(small + r".* sha(224|3-\d+), of itself$", name)
        assert held[name] == (reference(data) and not unknown), name
    bundle = tmp_path / "bundle"
    bundle.write_bytes(bundles["document: honest"])
    browser.find("#bundle").send_keys(str(bundle))
    browser.says("1 receipt verified")
    browser.picture("receipts")


def test_two_principals_go_from_the_first_look_to_a_receipt(browser, links, tmp_path):
    author, reader = links
    browser.open(author)
    browser.find(".standing.good")
    browser.press("The isolate")
    browser.find(".chain li")
    assert browser.count(".chain:first-of-type li") >= 12
    browser.picture("isolate")
    browser.press("Your part")
    program = tmp_path / "program.wasm"
    program.write_bytes(HELLO)
    browser.find("input[type=file]").send_keys(str(program))
    browser.press("Check this file")
    browser.press("Send it")
    browser.says("It is in.")
    browser.open(reader)
    browser.find(".standing.good")
    browser.press("Result and receipts")
    browser.press("Have it run")
    assert "verified" in browser.says("Receipt 1")
    browser.press("Deutsch")
    browser.says("Quittung|Beleg")
    browser.picture("result-german")


def test_the_dashboard_shows_the_bridge_in_both_languages(browser, computation):
    link = re.findall(r"dashboard on (http://\S+)", computation.sinaloa.last_words)[-1]
    browser.open(link)
    browser.find("table")
    assert str(computation.policy.digest)[:16] in browser.text
    browser.press("English")
    browser.says("Since the start")
    browser.find("table")
    browser.press("Deutsch")
    browser.says("Seit dem Start")
    assert re.search(r"Bytes zu Isolaten\s+[\d.]+", browser.text)
    browser.picture("dashboard-german")
