"""The names that a policy is held to are those that verifiers give."""

import re
from pathlib import Path

import pytest

from support import dcap_evidence as dcap
from support import nitro_documents as nitro
from support.cca_tokens import PLATFORM_KEY, Recipe
from tabasco.appraisal.known_names import strange_concerns, strange_measurement
from tabasco.verify.arm.cca import verify_cca
from tabasco.verify.kinds import Kind

PAGE = Path(__file__).parents[3] / "docs/reference/evidence.md"


def test_what_verifiers_give_is_known():
    cca = verify_cca(Recipe().token(), key_for=lambda _: PLATFORM_KEY.public_key())
    for proven in (dcap.Recipe(body={}).verify(), dcap.Recipe(dcap.TDX, 4, body={}).verify(), cca):
        for name in proven.measurements:
            assert strange_measurement(Kind(proven.kind), name) is None
    for index in nitro.MEMBERS["pcrs"]:
        assert strange_measurement(Kind.NITRO, f"pcr{index}") is None


def test_every_concern_of_the_reference_is_known():
    table = PAGE.read_text().split("## Concerns")[1].split("\n## ")[0]
    names = re.findall(r"^\| `([^`]+)`", table, re.MULTILINE)
    filled = [
        name.replace("\u2026", "x").replace("N", "1").replace("AME", "name") for name in names
    ]
    assert len(filled) > 10
    assert list(strange_concerns(tuple(filled))) == []


@pytest.mark.parametrize(
    ("kind", "name"),
    [(Kind.SGX, "mrenclav"), (Kind.TDX, "rtmr4"), (Kind.TPM, "pcr24"), (Kind.NITRO, "pcr32"),
     (Kind.EAR, "x"), (Kind.SEV_SNP, "measurement "), (Kind.ARM_CCA, "rem4")],
)  # fmt: skip
def test_what_no_evidence_has_is_told(kind, name):
    assert repr(name) in strange_measurement(kind, name)


def test_a_concern_that_nobody_has_is_told():
    assert len(list(strange_concerns(("tdx.pks", "tdx.pkss", "nonsense")))) == 2
