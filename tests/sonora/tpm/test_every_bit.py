"""Evidence of an enrolment by a TPM with one bit changed: refused, or it says the same."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from colima.tabasco import RequestCredentialRequest
from psa_attestation.errors import AttestationError
from psa_attestation.evidence.native import NativeEvidence
from sonora.evidence.base import Credential
from sonora.evidence.tpm.source import TpmSource
from support import event_logs
from support.databases import new_database
from support.swtpm import needs_swtpm
from tabasco.registry.challenges import Challenges
from tabasco.registry.roots import Roots
from tabasco.service.credentials import Credentials
from tabasco.verify import EvidenceError
from tabasco.verify.eventlog.log import parse_event_log
from tabasco.verify.evidence import verify_evidence
from tabasco.verify.kinds import EvidenceKind
from tabasco.verify.means import Means
from veracruz_utils.secret import Secret

pytestmark = needs_swtpm
BINDING = bytes(range(32))
TRIED = 400


@pytest.fixture
def prove(tpm, manufacturer, tmp_path):
    """A function of evidence: what it proves; and evidence that proves something."""
    log = event_logs.boot()
    for event in parse_event_log(log).events:
        if event.extends:
            tpm.extend(event.register, event.digests["sha256"])
    (tmp_path / "log").write_bytes(log)
    source = TpmSource(tpm.settings(event_log=tmp_path / "log"))
    issuer = x509.load_pem_x509_certificate(manufacturer.issuer.read_bytes())
    now = datetime.now(UTC) + timedelta(minutes=1)
    with new_database(tmp_path / "tabasco.db") as database:
        roots = Roots(database)
        roots.add_manufacturer("maker", issuer.public_bytes(Encoding.DER), at=now)
        challenges = Challenges(database, validity=timedelta(seconds=60), limit=9)
        credentials = Credentials(challenges=challenges, roots=roots, key=Secret(b"k" * 32))
        challenge = challenges.issue("tpm", at=now)

        def credential_for(shown):
            request = RequestCredentialRequest(
                challenge, "tpm", shown.certificate, shown.authorities, shown.key_area
            )
            made = credentials.give(request, at=now)
            return Credential(made.blob, made.encrypted_secret)

        evidence = source.endorsed_evidence(BINDING, credential_for)

        def proven(data):
            native = NativeEvidence.decode(data)
            endorsed = credentials.proven(native, challenge=challenge, at=now)
            means = Means(
                nonce=BINDING, endorsed=endorsed, event_log=native.auxiliary.get("event-log")
            )
            found = verify_evidence(native.raw, EvidenceKind.TPM, means=means, at=now)
            events = found.events or {}
            # The type of an event stands beside its digest, and nobody signs it.
            digests = {name: [each.digest for each in events[name]] for name in events}
            return replace(found, events=None), digests

        yield proven, evidence


def test_a_changed_bit_is_refused_or_changes_nothing_that_is_proven(prove):
    proven, evidence = prove
    right, random = proven(evidence), Random(11)
    assert right[0].concerns == ()
    assert right[1]["pcr4"]
    refused = 0
    for bit in random.sample(range(8 * len(evidence)), TRIED):
        changed = bytearray(evidence)
        changed[bit // 8] ^= 1 << bit % 8
        try:
            found = proven(bytes(changed))
        except (EvidenceError, AttestationError):
            refused += 1
            continue
        # Without its proof, or with a part of another name, it has to be told from the right one.
        assert found == right or found[0].concerns or not found[1], bit
    assert refused > TRIED // 2
