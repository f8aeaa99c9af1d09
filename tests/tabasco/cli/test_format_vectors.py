"""What `tabasco verify` says of the files of ../shared/vectors that came with clouds' formats."""

import json

import pytest
from click.testing import CliRunner

from support.format_vectors import ACCEPT, FOLDERS, REFUSE, REJECT, SHARED
from tabasco.cli import main

needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="../shared/vectors is not there")
VECTORS = [(folder, name) for folder, vectors in FOLDERS.items() for name in vectors]


def report(tmp_path, folder, given):
    arguments = given.arguments(SHARED / folder)
    store = ["--store", str(tmp_path / "store")]
    done = CliRunner().invoke(main, ["verify", *arguments, *store, "--json"])
    assert done.exit_code in {0, 3}, done.output + done.stderr
    return json.loads(done.stdout)


@needs_shared
@pytest.mark.parametrize(("folder", "name"), VECTORS, ids=map("/".join, VECTORS))
def test_every_vector_gets_its_verdict_for_the_right_reason(tmp_path, folder, name):
    given = FOLDERS[folder][name]
    found = report(tmp_path, folder, given)
    verdict = ACCEPT if found["accepted"] else REFUSE if found["authentic"] else REJECT
    reason = found["refusal"] and found["refusal"]["reason"]
    assert (verdict, reason) == (given.verdict, given.reason), found["refusal"]


@needs_shared
@pytest.mark.parametrize("folder", FOLDERS)
def test_every_vector_of_a_folder_is_in_the_table(folder):
    about = json.loads((SHARED / folder / "expected.json").read_text())["vectors"]
    certificates = {vector["id"] for vector in about} & CERTIFICATES
    assert {vector["id"] for vector in about} - certificates == set(FOLDERS[folder])


CERTIFICATES = {
    "gce-ak-certificate", "gce-ek-certificate", "gce-ak-certificate-crl",
    "gce-ak-under-ek-intermediate", "gce-pca-ecc-ak", "gce-pca-rsa-enc",
    "NEG-gce-akcert-signature-flipped",
}  # fmt: skip
"""These are no evidence: tests/tabasco/verify/tpm/test_certificate.py."""
