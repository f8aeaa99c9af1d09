"""Samples of what `make fuzz` does at length: single bits, and changes at random."""

import contextlib
from random import Random

import pytest

from psa_attestation.errors import AttestationError
from support.bit_flips import assert_refused, targets
from support.evidence_mutation import changed
from support.evidence_seeds import seeds
from tabasco.verify import EvidenceError
from tabasco.verify.kinds import NEVER_PROVEN, EvidenceKind

SEEDS = {seed.name: seed for seed in seeds()}
SAMPLES = 100


def test_there_is_a_seed_of_every_kind_that_is_ever_proven():
    assert {seed.kind for seed in SEEDS.values()} == set(EvidenceKind) - NEVER_PROVEN


@pytest.mark.parametrize("name", SEEDS)
def test_no_bit_of_authentic_evidence_can_be_changed(name):
    for target in targets(SEEDS[name]):
        proven, bits = target.verify(target.data), 8 * len(target.data)
        sample = range(0, bits, bits // SAMPLES)
        refused = [assert_refused(target, bit, proven) for bit in sample]
        assert sum(refused) > 0.6 * len(refused)


@pytest.mark.parametrize("name", SEEDS)
def test_changes_at_random_are_refused_in_our_own_words_or_change_nothing(name):
    others = [seed.data for seed in SEEDS.values()]
    for case in range(SAMPLES):
        seed = changed(Random(f"{name}:{case}"), SEEDS[name], others)
        with contextlib.suppress(EvidenceError, AttestationError):
            seed.verify()
