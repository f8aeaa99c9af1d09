"""Reports of one file in Chromium, opened from a disk as their readers open them."""

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from click.testing import CliRunner

from durango.bundles import ReceiptBundle, verify_bundle
from durango.cli import main as durango
from durango.cli.attested_page import attested_page, refused_page
from durango.errors import GateError
from durango.policy.meaning import explain_policy
from support.forged_bundles import Forger
from support.guests import calling, module
from support.patience import PATIENCE_S
from tabasco.cli import main as tabasco
from tlaxcala.cli import main as tlaxcala

TESTS = Path(__file__).parents[1]
SCREENSHOTS = TESTS.parent / "build" / "screenshots"
SGX = TESTS / "vectors" / "tabasco" / "sgx"
pytestmark = [pytest.mark.xdist_group("browser"), pytest.mark.timeout(300)]


def written(command, folder: Path, *words: object) -> str:
    """The page that a command writes."""
    file = folder / "written.html"
    CliRunner().invoke(command, [*map(str, words), "--html", str(file)])
    return file.read_text()


def attestation(_folder: Path) -> str:
    found = verify_bundle(ReceiptBundle.parse(Forger().bundle()))
    return attested_page(found.attestation, found.policy)


def refusal(_folder: Path) -> str:
    honest = verify_bundle(ReceiptBundle.parse(Forger().bundle()))
    forged = Forger(policy=lambda raw: raw + b" ").bundle()
    saved = ReceiptBundle.parse(forged).attestation
    with pytest.raises(GateError) as refused:
        saved.verify(honest.policy, tabasco_key=honest.tabasco_key, at=saved.attested_at)
    return refused_page(refused.value, honest.policy)


def receipts(folder: Path) -> str:
    file = folder / "receipts.cbor"
    file.write_bytes(Forger().bundle())
    return written(durango, folder, "receipt", "verify", file)


def explanation(_folder: Path) -> str:
    return explain_policy(verify_bundle(ReceiptBundle.parse(Forger().bundle())).policy).to_html()


def evidence(folder: Path) -> str:
    collateral = SGX / "intel-2025-06_sgx_00a06711.json"
    words = ("--collateral", collateral, "--at", "2025-06-25")
    return written(tabasco, folder, "verify", SGX / "sgx-v3-a067.bin", *words)


def programs(folder: Path) -> str:
    good, bad = folder / "good.wasm", folder / "bad.wasm"
    good.write_bytes(calling(("write_output", 0, 0)))
    bad.write_bytes(module("", imports='(import "env" "abort" (func))'))
    return written(tlaxcala, folder, "check", good, bad)


@pytest.mark.parametrize(
    "report", [attestation, refusal, receipts, explanation, evidence, programs]
)
def test_a_report_is_accessible_by_day_and_by_night_and_asks_for_nothing(
    chromium, tmp_path, report
):
    file = tmp_path / "report.html"
    file.write_text(report(tmp_path))
    context = chromium.new_context(offline=True, viewport={"width": 900, "height": 900})
    page = context.new_page()
    page.set_default_timeout(PATIENCE_S * 1000)
    said = []
    page.on("console", lambda message: said.append(message.text))
    page.on("request", lambda request: said.append(request.url))
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme=scheme)
        page.goto(file.as_uri())
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        picture = SCREENSHOTS / f"report-{report.__name__}-{scheme}.png"
        page.screenshot(path=picture, full_page=True)
    context.close()
    assert set(said) == {file.as_uri()}
