import hashlib
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from support import cloud_evidence as clouds
from support import nitro_documents as nitro
from support.refused_evidence import refused
from support.tpm_quotes import EC_KEY
from tabasco.appraisal.checks import Acceptance, appraise
from tabasco.verify import Fault, VerificationStage
from tabasco.verify.detection import kind_of
from tabasco.verify.evidence import verify_evidence
from tabasco.verify.kinds import EvidenceKind
from tabasco.verify.means import Means

ROOTS = frozenset({hashlib.sha256(nitro.ROOT).digest()})


def verify(data=None, kind=EvidenceKind.NITRO_TPM, at=nitro.MADE, **means):
    data = clouds.nitro_tpm() if data is None else data
    return verify_evidence(data, kind, means=Means(**{"roots": ROOTS} | means), at=at)


def both(document=None, registers=None, **changes):
    document = clouds.nitro_tpm() if document is None else document
    return clouds.Cloud(registers or {"sha384": clouds.PCRS}, document, **changes).json()


class TestDocument:
    def test_it_proves_the_registers_of_an_instances_tpm(self):
        assert kind_of(clouds.nitro_tpm()) is EvidenceKind.NITRO_TPM
        proven = verify(nonce=clouds.NONCE)
        assert proven.measurements["pcr4"] == b"\4" * 48
        assert proven.debug is None  # zeros say nothing of it, as they do of an enclave
        assert proven.facts["public-key"] == clouds.POINT.hex()
        appraise(proven, Acceptance())

    def test_it_is_no_document_of_an_enclave_nor_the_other_way_round(self):
        with refused(Fault.MALFORMED, VerificationStage.FORMAT):
            verify(kind=EvidenceKind.NITRO)
        with refused(Fault.MALFORMED, VerificationStage.FORMAT):
            verify(nitro.Recipe().document())
        assert kind_of(nitro.Recipe().document()) is EvidenceKind.NITRO

    @pytest.mark.parametrize("pcrs", [{}, {0: bytes(48)}, clouds.PCRS | {24: bytes(48)}])
    def test_all_registers_of_a_tpm_are_there(self, pcrs):
        with refused(Fault.MALFORMED, VerificationStage.FORMAT):
            verify(clouds.nitro_tpm(nitrotpm_pcrs=pcrs))

    def test_a_nonce_bounds_its_age_and_without_one_a_few_minutes_do(self):
        later = nitro.MADE + timedelta(minutes=30)
        assert verify(at=later, nonce=clouds.NONCE)
        assert verify(at=later, max_age=timedelta(hours=1))
        with refused(Fault.EXPIRED, VerificationStage.APPRAISAL, match="no nonce"):
            verify(at=later)
        with refused(Fault.NONCE, VerificationStage.BINDING):
            verify(at=later, nonce=b"another")
        with refused(Fault.EXPIRED, VerificationStage.CHAIN):
            verify(at=nitro.MADE + timedelta(hours=4), nonce=clouds.NONCE)

    def test_another_root_is_not_believed(self):
        with refused(Fault.UNKNOWN_ROOT, VerificationStage.CHAIN):
            verify(roots=None)


class TestWithQuote:
    def test_the_document_vouches_for_the_key_of_the_quote(self):
        assert kind_of(both()) is EvidenceKind.NITRO_TPM
        proven = verify(both(), nonce=clouds.NONCE)
        assert proven.facts["certified-by"] == "the document of AWS"
        assert proven.measurements["pcr4"] == b"\4" * 48

    def test_the_bound_key_may_be_a_subject_public_key_info(self):
        der = EC_KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        assert verify(both(clouds.nitro_tpm(public_key=der)))

    @pytest.mark.parametrize("public_key", [None, b"", clouds.POINT[:-1], clouds.POINT + b"\0"])
    def test_a_document_that_binds_another_key_or_none_is_refused(self, public_key):
        with refused(Fault.KEY_BINDING, VerificationStage.BINDING):
            verify(both(clouds.nitro_tpm(public_key=public_key)))

    def test_a_quote_by_another_key_is_refused(self):
        with refused(Fault.SIGNATURE, VerificationStage.SIGNATURE):
            verify(both(key=ec.derive_private_key(0xF00, ec.SECP256R1())))

    def test_registers_that_differ_from_the_documents_are_refused(self):
        registers = {"sha384": clouds.PCRS | {4: bytes(48)}}
        with refused(Fault.MEASUREMENT, VerificationStage.BINDING, match="pcr4"):
            verify(both(registers=registers))

    def test_both_answer_the_nonce(self):
        with refused(Fault.NONCE, VerificationStage.BINDING):
            verify(both(clouds.nitro_tpm(nonce=b"another")), nonce=clouds.NONCE)
        with refused(Fault.NONCE, VerificationStage.BINDING):
            verify(both(clouds.nitro_tpm(nonce=b"another")), nonce=b"another")
