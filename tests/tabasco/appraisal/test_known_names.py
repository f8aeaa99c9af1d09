"""The names that a policy is held to are those that verifiers give."""

import re
from pathlib import Path

import pytest

from support import dcap_evidence as dcap
from support import nitro_documents as nitro
from support.cca_tokens import PLATFORM_KEY, Recipe
from tabasco.appraisal.known_names import unknown_concerns, unknown_measurement
from tabasco.verify.arm.cca import verify_cca
from tabasco.verify.kinds import EvidenceKind

PAGE = Path(__file__).parents[3] / "docs/reference/evidence.md"


def test_what_verifiers_give_is_known():
    cca = verify_cca(Recipe().token(), key_for=lambda _: PLATFORM_KEY.public_key())
    for proven in (dcap.Recipe(body={}).verify(), dcap.Recipe(dcap.TDX, 4, body={}).verify(), cca):
        for name in proven.measurements:
            assert unknown_measurement(EvidenceKind(proven.kind), name) is None
    for index in nitro.MEMBERS["pcrs"]:
        assert unknown_measurement(EvidenceKind.NITRO, f"pcr{index}") is None


def test_every_concern_of_the_reference_is_known():
    table = PAGE.read_text().split("## Concerns")[1].split("\n## ")[0]
    names = re.findall(r"^\| `([^`]+)`", table, re.MULTILINE)
    filled = [
        name.replace("\u2026", "x").replace("N", "1").replace("AME", "name") for name in names
    ]
    assert len(filled) > 10
    assert list(unknown_concerns(tuple(filled))) == []


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (EvidenceKind.SGX, "mrenclav"),
        (EvidenceKind.TDX, "rtmr4"),
        (EvidenceKind.TPM, "pcr24"),
        (EvidenceKind.NITRO, "pcr32"),
        (EvidenceKind.EAR, "x"),
        (EvidenceKind.SEV_SNP, "measurement "),
        (EvidenceKind.ARM_CCA, "rem4"),
    ],
)
def test_what_no_evidence_has_is_told(kind, name):
    assert repr(name) in unknown_measurement(kind, name)


def test_a_concern_that_nobody_has_is_told():
    assert len(list(unknown_concerns(("tdx.pks", "tdx.pkss", "nonsense")))) == 2
