"""Which modules of the package an importer gets: those that it names, and what they need."""

import subprocess
import sys


def loaded_by(statement):
    code = f"import sys; {statement}; print(*(m for m in sys.modules if m.startswith('psa_att')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.removeprefix("psa_attestation.") for name in done.stdout.split()}


def test_the_package_by_itself_loads_nothing():
    assert loaded_by("import psa_attestation") == {"psa_attestation"}


def test_who_signs_receipts_loads_nothing_that_reads_or_verifies():
    assert loaded_by("import psa_attestation.receipts.signing") == {
        "psa_attestation",
        "binding",
        "cbor",
        "cbor.encoding",
        "cbor.values",
        "cose",
        "cose.algorithms",
        "cose.signing",
        "receipts",
        "receipts.receipt",
        "receipts.signing",
        "statements",
    }


def test_who_verifies_tokens_loads_no_results_and_no_bundles():
    rooms = {name.partition(".")[0] for name in loaded_by("import psa_attestation.tokens.token")}
    assert rooms == {"psa_attestation", "cbor", "cose", "errors", "tokens"}
