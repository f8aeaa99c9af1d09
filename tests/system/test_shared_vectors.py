"""The verdicts of ../shared/vectors, every entry of every folder, in one table (`pytest -s`)."""

import itertools
import sys

import pytest

from support.shared_vectors import SHARED, verdicts

# Plain COSE lets alg stand in the unprotected header, attestation does not (RFC 9783, 5.1.1); a
# COSE_Sign of several signers is no form of any token of ours.
_UNPROTECTED, _SEVERAL = "alg is not protected", "COSE_Sign is not read"
CAUSES = {
    ("cose", "mac-pass-01"): _UNPROTECTED,
    ("cose", "mac-pass-02"): _UNPROTECTED,
    ("cose", "sign-pass-01"): _UNPROTECTED,
    ("cose", "signed-01"): _SEVERAL,
    ("cose", "signed-02"): _SEVERAL,
    ("cose", "signed-03"): _SEVERAL,
}

# Folders whose entries are not files for `tabasco verify`: tests/tabasco/verify has them.
ELSEWHERE = {"eventlog", "snp-more"}


@pytest.mark.skipif(not SHARED.exists(), reason="../shared/vectors is not there")
def test_every_verdict_is_the_expected_one_or_has_a_cause():
    found = list(verdicts())
    lines = ["", "folder         verdicts  agree"]
    for folder, group in itertools.groupby(found, key=lambda each: each.folder):
        entries = list(group)
        agree = sum(each.agrees for each in entries)
        lines.append(f"{folder:<14} {len(entries):>8} {agree:>6}")
    differing = {(each.folder, each.name): each for each in found if not each.agrees}
    lines += [
        f"{each.folder} {each.name}: expected {each.expected}, ours {each.ours}: {CAUSES.get(name)}"
        for name, each in differing.items()
    ]
    sys.stdout.write("\n".join(lines))
    assert differing.keys() == CAUSES.keys()
    folders = {each.name for each in SHARED.iterdir() if each.is_dir()}
    assert {each.folder for each in found} == folders - ELSEWHERE
