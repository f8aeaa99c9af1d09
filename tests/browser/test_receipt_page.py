"""The page of `durango receipt page` in Chromium, opened from a disk as its readers open it."""

import base64
import random
import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

from colima.runtime import ContentKind
from durango import CommitmentOpening
from durango.bundles import ReceiptBundle, verify_bundle
from durango.receipt_page import receipt_page
from psa_attestation.receipts.receipt import commit
from support.forged_bundles import ATTESTER, Forger, forged_bundles
from support.keyed_bundles import keyed_bundles
from support.patience import PATIENCE_S
from support.principal_rig import key_pem
from support.psa_tokens import DEVICE
from veracruz_utils.digest import Digest
from veracruz_utils.errors import VeracruzError
from veracruz_utils.secret import Secret

SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
pytestmark = [pytest.mark.xdist_group("browser"), pytest.mark.timeout(300)]
# What the page decides, without what it shows: a bundle in, whether it holds out.
VERDICTS = """
async (bundles) => {
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
}
"""


@pytest.fixture(scope="module")
def page(chromium, tmp_path_factory):
    file = tmp_path_factory.mktemp("receipts") / "receipts.html"
    file.write_bytes(receipt_page())
    context = chromium.new_context(offline=True, viewport={"width": 900, "height": 900})
    page = context.new_page()
    page.set_default_timeout(PATIENCE_S * 1000)
    said = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: said.append(request.url))
    page.goto(file.as_uri())
    yield page
    context.close()
    assert set(said) == {file.as_uri()}  # it asked for itself alone and complained of nothing


def picture(page, name: str) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)


def reference(data: bytes) -> bool:
    try:
        verify_bundle(ReceiptBundle.parse(data))
    except VeracruzError:
        return False
    return True


def same_verdicts(page, bundles: dict[str, bytes]) -> None:
    texts = [base64.b64encode(each).decode() for each in bundles.values()]
    found = dict(zip(bundles, page.evaluate(VERDICTS, texts), strict=True))
    assert found == {name: reference(data) for name, data in bundles.items()}


def choose(page, bundle: bytes, **own: bytes) -> str:
    """The verdict on files as a reader chooses them."""
    page.reload()
    if own:
        page.locator("summary").first.click()
    for name, content in {**own, "bundle": bundle}.items():
        file = {"name": name, "mimeType": "application/octet-stream", "buffer": content}
        page.locator(f"#{name}").set_input_files(file)
    page.locator("#verdict[aria-busy=false]").wait_for()
    return page.locator("#verdict").inner_text()


def test_every_forged_bundle_has_the_verdict_of_the_command(page):
    bundles = forged_bundles()
    same_verdicts(page, bundles)
    assert len(bundles) > 200


def test_so_has_every_kind_of_key_in_a_certificate_but_for_hashes_of_no_browser(page):
    """Those the page refuses, where the command can look: it believes nothing it cannot check."""
    bundles = keyed_bundles()
    small = r"(?!RSA 1024|secp192|secp224)"
    unknown = [each for each in bundles if re.match(small + r".* sha(224|3-\d+), of itself$", each)]
    same_verdicts(page, {name: each for name, each in bundles.items() if name not in unknown})
    assert len(bundles) - len(unknown) > 400
    assert len(unknown) > 20
    assert all(reference(bundles[each]) for each in unknown)
    texts = [base64.b64encode(bundles[each]).decode() for each in unknown]
    assert page.evaluate(VERDICTS, texts) == [False] * len(unknown)
    text = choose(page, bundles["RSA 2048 sha224, of itself"])
    assert "in a way that browsers do not know: use durango receipt verify" in text


def test_so_has_every_bundle_with_a_damaged_byte(page):
    honest, chance = Forger().bundle(), random.Random(1)
    damaged = {}
    for number in range(400):
        at = chance.randrange(len(honest))
        other = bytes([honest[at] ^ 1 << chance.randrange(8)])
        damaged[f"byte {at}, {number}"] = honest[:at] + other * (number % 3) + honest[at + 1 :]
    assert not any(reference(each) for each in damaged.values())
    same_verdicts(page, damaged)


@pytest.mark.parametrize(
    "data", [b"", b"\xd2", b"\xa0", bytes(100), b"\x9b" + b"\xff" * 8, b"\x5b" + b"\xff" * 8]
)
def test_what_is_no_bundle_at_all_is_refused(page, data):
    assert not reference(data)
    assert "Not verified" in choose(page, data)


def test_a_reader_sees_what_it_proves_what_it_rests_on_and_what_it_does_not(page):
    bundle = Forger().bundle()
    text = choose(page, bundle)
    assert "1 receipt verified" in text
    key = verify_bundle(ReceiptBundle.parse(bundle)).tabasco_key
    assert f"Tabasco's key {Digest.of(key)}" in text
    assert "a software root of trust: it protects nothing against the owner" in text
    assert "What it does not prove" in text
    for each in page.locator("#verdict summary").all():
        each.click()
    picture(page, "receipts-verified")
    assert Axe().run(page).violations_count == 0
    assert "Not verified" in choose(page, b"another file")
    picture(page, "receipts-refused")
    assert Axe().run(page).violations_count == 0


def test_what_others_wrote_is_text_and_never_markup(page):
    names = {"name": "<b onclick=alert(1)>"}
    refused = Forger(document=lambda honest: honest | {"identities": [names]}).bundle()
    assert "Not verified" in choose(page, refused)
    marked = Forger(receipt=lambda honest: honest | {12: "<script>alert(1)</script>"}).bundle()
    choose(page, marked)
    assert "<script>alert(1)</script>" in page.locator("#verdict").text_content()
    assert page.locator("#verdict script").count() == 0


class TestOwnFiles:
    """What a reader compares the bundle with."""

    BUNDLE = Forger().bundle()
    POLICY = ReceiptBundle.parse(BUNDLE).policy
    SALT, INPUT = b"s" * 32, Digest.of(b"dora's")

    def test_ones_own_policy_and_key_leave_nothing_to_compare(self, page):
        text = choose(page, self.BUNDLE, policy=self.POLICY, key=key_pem(ATTESTER.tabasco_key))
        assert "1 receipt verified" in text
        assert "as the bundle has it" not in text

    def test_another_policy_or_key_is_refused_with_both_digests(self, page):
        other = self.POLICY + b" "
        text = choose(page, self.BUNDLE, policy=other)
        assert "Not verified" in text
        assert str(Digest.of(self.POLICY)) in text
        assert str(Digest.of(other)) in text
        assert "Not verified" in choose(page, self.BUNDLE, key=key_pem(DEVICE))
        assert "Not verified" in choose(page, self.BUNDLE, key=b"key")

    def test_a_result_is_found_or_refused(self, page):
        result = b"the result"
        details = {0: 0, 1: Digest.of(result).value, 2: 7}
        bundle = Forger(details=details).bundle()
        assert f"your result, {Digest.of(result)}" in choose(page, bundle, result=result)
        assert "No receipt is about your result" in choose(page, bundle, result=b"another")
        closed = Forger(unprotected=lambda honest: {33: honest[33]}).bundle()
        assert "closed" in choose(page, closed, result=result)

    def test_an_opening_is_found_or_refused(self, page):
        commitment = commit(self.SALT, self.INPUT.value)
        bundle = Forger(
            receipt=lambda honest: honest | {7: [[1, 0, 0, commitment], *honest[7][1:]]}
        ).bundle()
        opening = CommitmentOpening(1, 0, ContentKind.DATA, self.INPUT, Secret(self.SALT))
        assert "your input, data package 0 of client 1" in choose(
            page, bundle, openings=opening.to_json()
        )
        assert "of another send" in choose(page, self.BUNDLE, openings=opening.to_json())
        elsewhere = CommitmentOpening(1, 5, ContentKind.DATA, self.INPUT, Secret(self.SALT))
        assert "did not see it" in choose(page, bundle, openings=elsewhere.to_json())
        assert "Not verified" in choose(page, bundle, openings=b"{}")
