"""Our verdicts on Intel quotes against those of dcap-qvl, a verifier by others.

It refuses what is revoked or of no level, where we report that as the standing of an authentic
platform. For TDX 1.5 it decides otherwise than Intel's own library when a domain should be built
again, so that is left to `test_dcap_tcb` and the real quotes.
"""

from random import Random

import dcap_qvl
import pytest

from support.dcap_evidence import ROOT, ROOTS, text_of
from support.evidence_mutation import changed
from support.evidence_seeds import seeds
from support.tcb_recipes import random_recipe
from support.throwaway_chain import NOON
from tabasco.verify import EvidenceError, TcbStatus
from tabasco.verify.intel.collateral import INTEL_ROOTS
from tabasco.verify.intel.dcap import verify_dcap
from tabasco.verify.kinds import EvidenceKind

REAL = {seed.name: seed for seed in seeds() if seed.kind in {EvidenceKind.SGX, EvidenceKind.TDX}}
FATAL = {TcbStatus.REVOKED, TcbStatus.UNSUPPORTED}
REFUSED = "refused"
SAMPLES = 120


def ours(quote, collateral, at, roots):
    try:
        proven = verify_dcap(quote, collateral=collateral, at=at, roots=roots)
    except EvidenceError:
        return REFUSED
    if proven.debug or proven.concerns or proven.tcb_status in FATAL:
        return REFUSED
    return str(proven.tcb_status), proven.advisories


def theirs(quote, collateral, at, root=None):
    moment = int(at.timestamp())
    try:
        given = dcap_qvl.QuoteCollateralV3.from_json(text_of(collateral).decode())
        found = (
            dcap_qvl.verify(quote, given, moment)
            if root is None
            else dcap_qvl.verify_with_root_ca(quote, given, root, moment)
        )
    except (ValueError, TypeError):  # what it raises
        return REFUSED
    return found.status, tuple(sorted(set(found.advisory_ids)))


def test_any_platform_has_the_same_standing_under_any_statement():
    seen = set()
    for case in range(2 * SAMPLES):
        recipe = random_recipe(Random(case))
        quote, collateral = recipe.quote(), recipe.collateral()
        mine = ours(quote, collateral, NOON, ROOTS)
        assert mine == theirs(quote, collateral, NOON, ROOT.der), case
        seen.add(mine[0])
    assert len(seen) > 4


@pytest.mark.parametrize("name", REAL)
def test_real_quotes_have_the_same_standing(name):
    seed = REAL[name]
    mine = ours(seed.data, seed.means.collateral, seed.at, INTEL_ROOTS)
    assert mine == theirs(seed.data, seed.means.collateral, seed.at) != REFUSED


@pytest.mark.parametrize("name", REAL)
def test_what_we_accept_of_changed_evidence_they_accept_too(name):
    others = [seed.data for seed in REAL.values()]
    for case in range(SAMPLES):
        seed = changed(Random(f"{name}:{case}"), REAL[name], others)
        collateral = seed.means.collateral
        mine = ours(seed.data, collateral, seed.at, INTEL_ROOTS)
        assert mine in (REFUSED, theirs(seed.data, collateral, seed.at)), (name, case)
