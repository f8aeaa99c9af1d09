"""The page that verifies receipts in a browser, as a file; what it decides is tried in one."""

import base64
import hashlib
import re

import pytest
from click.testing import CliRunner

from durango.bundles import ReceiptBundle, verify_bundle
from durango.cli import main
from durango.receipt_page import receipt_page
from support.forged_bundles import forged_bundles
from veracruz_utils.digest import Digest
from veracruz_utils.errors import VeracruzError

PAGE = receipt_page().decode()
HARMLESS = {
    "document: honest",
    "document: names",
    "document: a name in another script",
    "document: a role twice",
    "document: a name for an address",
    "document: IPv6",
    "document: long ago",
    "document: one of two measurements",
    "document: a measurement in capitals",
    "document: no isolation",
    "document: the largest fuel",
    "document: null rounds",
    "document: consent of all",
    "document: consent by number",
    "document: consent of two of two",
    "document: inputs by name",
    "document: deterministic",
    "document: debug",
    "policy: white space",
    "token: secured, in the maker's own way",
    "token: a claim nobody knows",
    "token: a boot seed",
    "token: a reference",
    "token: more isolation",
    "result: two parts",
    "result: as good as its claims",
    "result: policies",
    "result: a claim nobody knows",
    "machine: as pinned",
    "machine: pinned in capitals",
    "machine: told of one part of two",
    "machine: Nitro",
    "receipt: number 2",
    "receipt: more layers",
    "receipt: a seed",
    "receipt: a budget",
    "receipt: the end of time",
    "receipt: bits of NaNs that are nobody's",
    "unprotected: closed",
    "details: the same",
    "details: no result",
    "details: fuel",
}


def test_the_command_writes_it_and_tells_its_digest(tmp_path):
    command = ["receipt", "page", "--output", str(tmp_path / "receipts.html")]
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 0
    written = (tmp_path / "receipts.html").read_bytes()
    assert written == receipt_page()
    assert str(Digest.of(written)) in done.stdout
    assert CliRunner().invoke(main, command).exit_code == 1  # it is there already


@pytest.mark.parametrize("name", ["script", "style"])
def test_it_runs_what_is_in_it_and_nothing_else(name):
    (content,) = re.findall(rf"<{name}>(.*?)</{name}>", PAGE, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
    (rules,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', PAGE)
    assert "default-src 'none'" in rules
    assert f"{name}-src 'sha256-{digest}'" in rules
    assert "unsafe" not in rules


def test_it_names_no_address_and_makes_no_markup_of_what_it_reads():
    assert re.findall(r"(?:src|href)=|https?://(?!json-schema\.org/)(?!\[)", PAGE) == []
    assert (
        re.findall(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|Function\(", PAGE)
        == []
    )


def test_forged_bundles_are_refused_by_the_reference_and_harmless_ones_hold():
    held = set()
    for name, data in forged_bundles().items():
        try:
            verify_bundle(ReceiptBundle.parse(data))
        except VeracruzError:
            continue
        held.add(name)
    assert held == HARMLESS
