"""Evidence of every kind, its certificates and its collateral, changed at random.

A verifier proves something or refuses, with its own error and nothing else; it does not hang, and
memory stays bounded. FUZZ_KIND picks one kind. The rest of the environment: `support.fuzzing`.
"""

import os
import sys

from psa_attestation.errors import AttestationError
from support.evidence_mutation import changed
from support.evidence_seeds import seeds
from support.fuzzing import run
from tabasco.verify.detection import kind_of, plain
from tabasco.verify.errors import EvidenceError
from tabasco.verify.kinds import EvidenceKind


def prepare():
    wanted = os.environ.get("FUZZ_KIND", "")
    bases = [seed for seed in seeds() if wanted in {"", seed.kind}]
    assert bases, f"there is no evidence of kind {wanted!r}, known are {', '.join(EvidenceKind)}"
    others = [seed.data for seed in seeds()]

    def case(random, number):
        seed = changed(random, bases[number % len(bases)], others)
        _detect(seed.data)
        try:
            seed.verify()
        except (EvidenceError, AttestationError):
            return f"{seed.kind}: refused"
        return f"{seed.kind}: proven"

    return case


def _detect(data):
    try:
        kind_of(plain(data))
    except EvidenceError:
        return


if __name__ == "__main__":
    sys.exit(run("fuzz_evidence", prepare))
