import hashlib
import json
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from cryptography import x509 as library
from cryptography.hazmat.primitives import serialization
from hypothesis import given, settings
from hypothesis import strategies as st

from support.refused_evidence import refused
from tabasco.appraisal.checks import Acceptance, appraise
from tabasco.appraisal.policy import AppraisalPolicy, KindPolicy
from tabasco.verify import EvidenceError, Fault, VerificationStage
from tabasco.verify.amd.certificate import parse_endorsement_key
from tabasco.verify.amd.report import Product, SnpTcb, parse_report
from tabasco.verify.amd.snp import AMD_ROOTS, Endorsements, verify_snp
from tabasco.verify.intel.quote import parse_quote
from tabasco.verify.kinds import EvidenceKind
from tabasco.verify.x509.certificates import pem_blocks

REPOSITORY = Path(__file__).parents[4]
OWN = REPOSITORY / "tests" / "vectors" / "tabasco" / "snp"
SHARED = REPOSITORY.parent / "shared" / "vectors" / "snp"
needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="../shared/vectors is not there")

# How each vector is refused by a policy that accepts no weakness; None is accepted.
VERDICTS = {
    "milan-v2-debug": (Fault.DEBUG, VerificationStage.APPRAISAL),
    "milan-v2": None,
    "milan-v3": None,
    "turin-v5": None,
    "milan-v2-coco": None,
    "milan-v2-forged-vcek-a": (Fault.CHAIN, VerificationStage.CHAIN),
    "milan-v2-forged-vcek-b": (Fault.CHAIN, VerificationStage.CHAIN),
}


def read(folder, report, certificate, chain):
    data = (folder / report).read_bytes()
    if report.endswith(".hex"):
        data = bytes.fromhex(data.decode())
    return data, Endorsements((folder / certificate).read_bytes(), (folder / chain).read_bytes())


MILAN = read(OWN, "milan-v3.bin", "milan-v3-vcek.pem", "amd-milan-ask-ark-asvk.pem")
TURIN = read(OWN, "turin-v5.bin", "turin-v5-vcek.pem", "amd-turin-ask-ark-asvk.pem")
FORGED = read(
    OWN,
    "milan-v2-forged-vcek-a.bin",
    "milan-v2-forged-vcek-a-vcek.der",
    "amd-milan-ask-ark-asvk.pem",
)
MARCH = datetime.fromisoformat("2026-03-01T00:00:00Z")


def shared_vectors():
    return json.loads((SHARED / "expected.json").read_text())["vectors"] if SHARED.exists() else []


@needs_shared
@pytest.mark.parametrize("vector", shared_vectors(), ids=lambda vector: vector["id"])
def test_every_shared_vector_gets_its_verdict_and_facts(vector):
    data, endorsements = read(SHARED, vector["report"], vector["signing_cert"], vector["amd_chain"])
    start = datetime.fromisoformat(vector["verify_at"][:10] + "T00:00:00Z") + timedelta(days=1)
    end = datetime.fromisoformat(vector["verify_at"][-10:] + "T00:00:00Z")
    for at in (start, end):
        verdict = VERDICTS[vector["id"]]
        if verdict is not None and verdict[1] is VerificationStage.CHAIN:
            with refused(*verdict):
                verify_snp(data, endorsements=endorsements, at=at)
            continue
        proven = verify_snp(data, endorsements=endorsements, at=at)
        assert_fields(proven, vector)
        if verdict is None:
            appraise(proven, Acceptance())
            continue
        with refused(*verdict):
            appraise(proven, Acceptance())
    late = end + timedelta(days=2)
    with pytest.raises(EvidenceError):
        verify_snp(data, endorsements=endorsements, at=late)
    with pytest.raises(EvidenceError):
        verify_snp(data, endorsements=endorsements, at=start - timedelta(days=3))


def assert_fields(proven, vector):
    fields = vector["fields"]
    assert proven.facts["product"] == vector["product"]
    assert proven.facts["signing_key"] == vector["key_kind"]
    assert proven.debug is fields["debug"]
    assert proven.report_data.hex() == fields["report_data"]
    assert proven.measurements["measurement"].hex() == fields["measurement"]
    assert proven.measurements["host_data"].hex() == fields["host_data"]
    assert proven.facts["vmpl"] == fields["vmpl"]
    assert str(proven.facts["policy"]) == fields["policy"]
    certificate = vector["cert"]
    reported = SnpTcb.from_bytes(bytes.fromhex(fields["reported_tcb"]), Product(vector["product"]))
    assert proven.facts["reported_tcb"] == str(reported)
    assert reported == SnpTcb(
        certificate["bl"],
        certificate["tee"],
        certificate["snp"],
        certificate["ucode"],
        certificate["fmc"] or 0,
    )


@needs_shared
def test_every_shared_vector_is_in_the_table():
    assert {vector["id"] for vector in shared_vectors()} == set(VERDICTS)


def test_real_reports_of_our_own_prove_what_they_should():
    for (data, endorsements), product in ((MILAN, "milan"), (TURIN, "turin")):
        proven = verify_snp(data, endorsements=endorsements, at=MARCH)
        appraise(proven, Acceptance())
        assert proven.facts["product"] == product
        with refused(Fault.REPORT_DATA, VerificationStage.BINDING):
            appraise(proven, Acceptance(report_data=b"\1" * 64))
    with refused(Fault.CHAIN, VerificationStage.CHAIN):
        verify_snp(FORGED[0], endorsements=FORGED[1], at=MARCH)


def test_the_pinned_roots_are_the_certificates_that_amd_publishes():
    for _, endorsements in (MILAN, TURIN):
        chain = library.load_pem_x509_certificates(endorsements.authorities)
        digests = {
            hashlib.sha256(each.public_bytes(serialization.Encoding.DER)).digest() for each in chain
        }
        assert len(digests & AMD_ROOTS.keys()) == 1


def test_the_library_and_we_read_the_same_certificate():
    """The library warns of serial number 0 and means to refuse it: then this test says so."""
    encoded = FORGED[1].key
    with pytest.warns(Warning, match="serial number which wasn't positive"):
        theirs = library.load_der_x509_certificate(encoded)
    ours = parse_endorsement_key(encoded)
    assert (ours.start, ours.end) == (theirs.not_valid_before_utc, theirs.not_valid_after_utc)
    assert ours.signed == theirs.tbs_certificate_bytes
    assert ours.signature == theirs.signature
    assert ours.issuer == theirs.issuer.public_bytes()
    assert ours.key == theirs.public_key()
    assert ours.extensions == {
        each.oid.dotted_string: each.value.value for each in theirs.extensions
    }


@settings(deadline=None, max_examples=200)
@given(data=st.data())
def test_one_bit_flipped_in_a_report_is_refused(data):
    report, endorsements = data.draw(st.sampled_from([MILAN, TURIN]))
    with pytest.raises(EvidenceError):
        verify_snp(
            flipped(report, data.draw(st.integers(0, len(report) * 8 - 1))),
            endorsements=endorsements,
            at=MARCH,
        )


@settings(deadline=None, max_examples=200)
@given(data=st.data())
def test_one_bit_flipped_in_an_endorsement_key_is_refused(data):
    report, endorsements = data.draw(st.sampled_from([MILAN, TURIN]))
    (certificate,) = pem_blocks(endorsements.key)
    changed = flipped(certificate, data.draw(st.integers(0, len(certificate) * 8 - 1)))
    with pytest.raises(EvidenceError):
        verify_snp(report, endorsements=Endorsements(changed, endorsements.authorities), at=MARCH)


def test_truncated_anywhere_a_report_is_refused():
    report, endorsements = MILAN
    for length in range(len(report)):
        with refused(Fault.MALFORMED, VerificationStage.FORMAT):
            verify_snp(report[:length], endorsements=endorsements, at=MARCH)
    with refused(Fault.TRAILING_BYTES, VerificationStage.FORMAT):
        verify_snp(report + b"\0", endorsements=endorsements, at=MARCH)


def test_evidence_of_one_kind_is_none_of_another():
    quote = (OWN.parent / "sgx/sgx-v3-a067.bin").read_bytes()
    with refused(Fault.TRAILING_BYTES, VerificationStage.FORMAT):
        verify_snp(quote, endorsements=MILAN[1], at=MARCH)
    with pytest.raises(EvidenceError):
        verify_snp(quote[:1184], endorsements=MILAN[1], at=MARCH)
    for report, _ in (MILAN, TURIN):
        with pytest.raises(EvidenceError) as caught:
            parse_quote(report)
        assert caught.value.stage is VerificationStage.FORMAT


@given(st.binary(max_size=1300), st.binary(min_size=1170, max_size=1170))
def test_arbitrary_bytes_are_no_report(short, rest):
    for data in (short, MILAN[0][:14] + rest):
        with pytest.raises(EvidenceError):
            verify_snp(data, endorsements=MILAN[1], at=MARCH)
    with pytest.raises(EvidenceError):
        parse_report(short + bytes(2000))


@given(st.binary(max_size=400))
def test_arbitrary_bytes_are_no_certificates(data):
    report, endorsements = MILAN
    for each in (
        Endorsements(data, endorsements.authorities),
        Endorsements(endorsements.key, data),
        Endorsements(endorsements.key, endorsements.authorities, data),
    ):
        with pytest.raises(EvidenceError):
            verify_snp(report, endorsements=each, at=MARCH)


def flipped(data, bit):
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


MEASURED = {
    "measurement": [
        "f924dd18f168df60fbea937f0b086284d51b1b376de872bac43694f61134d57967c318018de7335503023dbb50dee624",
        "5a5cdbad8f540ce4abca0120faec86f62ef7128a4ac711add34d468b5957c82aa2f24e8f111dadc3689b787b88ed0715",
    ]
}
# How each of the newer ones is refused, and at which stage; None is accepted.
MORE = {
    "turin-v5-routex": None,
    "NEG-turin-v5-report-data-flipped": (Fault.SIGNATURE, VerificationStage.SIGNATURE),
    "NEG-turin-v5-version-4": (Fault.SIGNATURE, VerificationStage.SIGNATURE),
    "genoa-v2-routex-other-vcek": (Fault.SIGNATURE, VerificationStage.SIGNATURE),
    "milan-v3-vlek-aws": None,
    "milan-v3-vlek-aws-expired": (Fault.EXPIRED, VerificationStage.CHAIN),
    "milan-v3-vlek-aws-other-csp": (Fault.FACT, VerificationStage.APPRAISAL),
    "milan-v3-vlek-other-region-key": (Fault.SIGNATURE, VerificationStage.SIGNATURE),
}


def more_vectors():
    path = SHARED.parent / "snp-more" / "expected.json"
    return json.loads(path.read_text())["vectors"] if path.exists() else []


@needs_shared
def test_every_newer_vector_is_in_the_table():
    assert {vector["id"] for vector in more_vectors()} == set(MORE)


@needs_shared
@pytest.mark.parametrize("vector", more_vectors(), ids=lambda vector: vector["id"])
def test_every_newer_vector_gets_its_verdict_and_facts(vector):
    folder, about = SHARED.parent / "snp-more", vector["parameters"]
    report, key, *chain = [(folder / name).read_bytes() for name in vector["files"]]
    endorsements = Endorsements(key, chain[0] if chain else None)
    at = datetime.fromisoformat(about.get("verify_at", "2026-03-01T00:00:00Z")[:20])

    def verify():
        proven = verify_snp(report, endorsements=endorsements, at=at)
        rules = (
            {"facts": {"csp_id": {"equals": about["wanted_csp_id"]}}}
            if ("wanted_csp_id" in about)
            else {}
        )
        kind = msgspec.convert(rules | {"measurements": MEASURED}, KindPolicy)
        refusal = AppraisalPolicy(1, {EvidenceKind.SEV_SNP: kind}).evaluate(proven).refused_by
        if refusal is not None:
            raise refusal.error
        return proven

    if (verdict := MORE[vector["id"]]) is not None:
        with refused(*verdict):
            verify()
        return
    proven, fields = verify(), about["fields"]
    assert proven.facts["report_version"] == fields["version"]
    assert proven.facts["chip_id"] == fields["chip_id"]
    assert proven.report_data.hex() == fields["report_data"]
    assert proven.facts.get("csp_id") == about.get("csp_id")
