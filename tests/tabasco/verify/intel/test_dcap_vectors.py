import hashlib
import json
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.refused_evidence import refused
from tabasco.appraisal.checks import Acceptance, appraise
from tabasco.verify import EvidenceError, Fault, TcbStatus, VerificationStage
from tabasco.verify.intel.collateral import INTEL_ROOTS, Collateral
from tabasco.verify.intel.dcap import verify_dcap
from tabasco.verify.intel.quote import parse_quote

REPOSITORY = Path(__file__).parents[4]
OWN = REPOSITORY / "tests" / "vectors" / "tabasco"
SHARED = REPOSITORY.parent / "shared" / "vectors"
needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="../shared/vectors is not there")


def collateral(path):
    return Collateral.from_json(path.read_bytes())


def moment(text):
    return datetime.fromisoformat(text)


SGX = (OWN / "sgx/sgx-v3-a067.bin").read_bytes()
SGX_COLLATERAL = collateral(OWN / "sgx/intel-2025-06_sgx_00a06711.json")
TDX = (OWN / "tdx/tdx-v4-b0c06f.bin").read_bytes()
TDX_COLLATERAL = collateral(OWN / "tdx/intel-2025-06_tdx_b0c06f.json")
TD_15 = (OWN / "tdx/tdx-v5-90c06f-relaunch.bin").read_bytes()
TD_15_COLLATERAL = collateral(OWN / "tdx/intel-2026-02_tdx_90c06f.json")
JUNE = moment("2025-06-25T00:00:00Z")
FEBRUARY = moment("2026-02-25T00:00:00Z")

# How each vector is refused by a policy that accepts what is fully up to date; None is accepted.
VERDICTS = {
    "sgx-v3-a067.bin": (Fault.TCB_STATUS, VerificationStage.APPRAISAL),
    "sgx-v3-a067-debug.bin": (Fault.DEBUG, VerificationStage.APPRAISAL),
    "sgx-v3-606a-debug-outofdate.bin": (Fault.DEBUG, VerificationStage.APPRAISAL),
    "sgx-v3-intel-sample-ppid-cleartext.bin": (Fault.UNSUPPORTED_VERSION, VerificationStage.FORMAT),
    "oe-evidence": (Fault.UNSUPPORTED_VERSION, VerificationStage.FORMAT),
    "oe-report-bad-chain": (Fault.UNSUPPORTED_VERSION, VerificationStage.FORMAT),
    "sgx_cert_ec_bad.der": (Fault.UNSUPPORTED_VERSION, VerificationStage.FORMAT),
    "sgx_cert_rsa_bad.der": (Fault.UNSUPPORTED_VERSION, VerificationStage.FORMAT),
    "tdx-v4-b0c06f.bin": None,
    "tdx-v5-90c06f-nomatch.bin": (Fault.TCB_STATUS, VerificationStage.APPRAISAL),
    "tdx-v4-b0c06f-nomatch.hex": (Fault.TCB_STATUS, VerificationStage.APPRAISAL),
    "tdx-v4-806f05-outofdate.bin": (Fault.TCB_STATUS, VerificationStage.APPRAISAL),
    "tdx-v4-806f05-uptodate.bin": None,
    "tdx-v4-50806f-trailing-garbage.bin": (Fault.TRAILING_BYTES, VerificationStage.FORMAT),
    "tdx-v4-50806f-debug.bin": (Fault.DEBUG, VerificationStage.APPRAISAL),
    "tdx-v4-50806f-septve-off.bin": (Fault.ATTRIBUTES, VerificationStage.APPRAISAL),
    "tdx-v5-90c06f-mrservicetd.bin": (Fault.MEASUREMENT, VerificationStage.APPRAISAL),
    "tdx-v5-90c06f-relaunch.bin": None,
    "tdx-v4-b0c06f-ratls-nomatch.bin": (Fault.TCB_STATUS, VerificationStage.APPRAISAL),
}


def shared_cases():
    for kind in ("sgx", "tdx") if SHARED.exists() else ():
        for vector in json.loads((SHARED / kind / "expected.json").read_text())["vectors"]:
            for used in vector.get("with_collateral") or [{}]:
                yield pytest.param(kind, vector, used, id=vector["id"])


def evidence(kind, vector):
    data = (SHARED / kind / vector["file"]).read_bytes()
    if vector["file"].endswith(".hex"):
        return bytes.fromhex(data.decode().strip().removeprefix("0x"))
    return data


@needs_shared
@pytest.mark.parametrize(("kind", "vector", "used"), [*shared_cases()])
def test_every_shared_vector_gets_its_verdict_and_facts(kind, vector, used):
    path = used.get("collateral", "../sgx/collateral/intel-2025-06_sgx_00a06711.json")
    arguments = {
        "collateral": collateral(SHARED / kind / path),
        "at": moment(used.get("verify_at", "2025-06-25T00:00:00Z")),
    }
    verdict = VERDICTS[vector["id"]]
    if verdict is not None and verdict[1] is VerificationStage.FORMAT:
        with refused(*verdict):
            verify_dcap(evidence(kind, vector), **arguments)
        return
    proven = verify_dcap(evidence(kind, vector), **arguments)
    assert proven.tcb_status == (used["tcb_status"] or TcbStatus.UNSUPPORTED)
    if used["advisories"] is not None:
        assert list(proven.advisories) == used["advisories"]
    assert_fields(proven, vector["fields"])
    if vector["id"] == "tdx-v5-90c06f-relaunch.bin" and proven.tcb_status != "UpToDate":
        verdict = (Fault.TCB_STATUS, VerificationStage.APPRAISAL)
    if verdict is None:
        appraise(proven, Acceptance())
        return
    with refused(*verdict):
        appraise(proven, Acceptance())


def assert_fields(proven, fields):
    assert proven.kind == fields["tee"].lower()
    assert proven.debug is fields["debug"]
    assert proven.report_data.hex() == fields["report_data"]
    assert proven.facts["fmspc"] == fields["fmspc"]
    assert bytes.fromhex(proven.facts["platform_svns"]) == bytes(fields["pck_tcb_svns"])
    assert proven.facts["pce_svn"] == fields["pcesvn"]
    assert proven.facts["qe_svn"] == fields["qe_isvsvn"]
    for name in ("mrenclave", "mrsigner", "mrtd", "rtmr0", "rtmr3"):
        if name in fields:
            assert proven.measurements[name].hex() == fields[name]


@needs_shared
def test_every_shared_vector_is_in_the_table():
    found = {case.id for case in shared_cases()}
    assert found == set(VERDICTS)


@needs_shared
def test_a_status_that_a_policy_names_is_accepted():
    proven = verify_dcap(SGX, collateral=SGX_COLLATERAL, at=JUNE)
    named = frozenset({TcbStatus.CONFIGURATION_AND_SW_HARDENING_NEEDED})
    appraise(proven, Acceptance(tcb_statuses=named))
    with refused(Fault.ADVISORY, VerificationStage.APPRAISAL):
        appraise(proven, Acceptance(named, advisories=frozenset({"INTEL-SA-00289"})))


@needs_shared
def test_the_quote_inside_other_frames_is_refused_for_what_is_wrong_with_it():
    framed = (SHARED / "sgx/oe-report-bad-chain.bin").read_bytes()[16:]
    with pytest.raises(EvidenceError) as caught:
        verify_dcap(framed, collateral=SGX_COLLATERAL, at=JUNE)
    assert caught.value.stage in {VerificationStage.SIGNATURE, VerificationStage.CHAIN}
    oe = (SHARED / "sgx/oe-evidence-with-comment-and-header.bin").read_bytes()
    quote = parse_quote(oe[oe.index(b"\3\0\2\0\0\0\0\0") :])
    assert quote.body.debug
    for name in ("ec", "rsa"):
        certificate = (SHARED / f"sgx/ratls-sgx_cert_{name}_bad.der").read_bytes()
        inside = certificate[certificate.index(b"\3\0\2\0\0\0\0\0") :]
        size = 48 + 384 + 4 + int.from_bytes(inside[432:436], "little")
        with pytest.raises(EvidenceError):
            verify_dcap(inside[:size], collateral=SGX_COLLATERAL, at=JUNE)


@needs_shared
def test_intels_sample_root_is_not_intels_root():
    pki = SHARED / "sgx/intel-sample-pki"
    chain = (pki / "pckCert.pem").read_text() + (pki / "pckSignChain.pem").read_text()
    quote = parse_quote(SGX)
    assert quote.pck_chain in SGX
    sample = SGX.replace(quote.pck_chain + b"\0", chain.encode())
    with pytest.raises(EvidenceError):
        verify_dcap(sample, collateral=SGX_COLLATERAL, at=JUNE)


@needs_shared
def test_the_pinned_root_is_the_certificate_that_intel_publishes():
    root = (SHARED / "sgx/intel-sgx-root-ca.der").read_bytes()
    assert {hashlib.sha256(root).digest()} == INTEL_ROOTS


class TestRealQuotesOfOurOwn:
    def test_they_prove_what_they_should(self):
        appraise(verify_dcap(TDX, collateral=TDX_COLLATERAL, at=JUNE), Acceptance())
        sgx = verify_dcap(SGX, collateral=SGX_COLLATERAL, at=JUNE)
        assert sgx.tcb_status is TcbStatus.CONFIGURATION_AND_SW_HARDENING_NEEDED
        assert sgx.advisories == ("INTEL-SA-00289", "INTEL-SA-00615")
        assert sgx.report_data.startswith(b"Hello, world!")
        assert sgx.valid_until == moment("2025-07-19T10:01:18Z")
        relaunch = verify_dcap(TD_15, collateral=TD_15_COLLATERAL, at=FEBRUARY)
        assert relaunch.tcb_status is TcbStatus.TD_RELAUNCH_ADVISED
        assert relaunch.advisories == ("INTEL-SA-01036", "INTEL-SA-01099")

    def test_zeros_may_follow_where_the_caller_says_so_and_nothing_else_may(self):
        assert parse_quote(TDX).padding == 70
        with refused(Fault.TRAILING_BYTES, VerificationStage.FORMAT):
            parse_quote(TDX, padded=False)
        assert verify_dcap(TDX[:-70], collateral=TDX_COLLATERAL, at=JUNE, padded=False)
        garbage = (OWN / "tdx/tdx-v4-50806f-trailing-garbage.bin").read_bytes()
        with refused(Fault.TRAILING_BYTES, VerificationStage.FORMAT):
            parse_quote(garbage)

    def test_collateral_is_for_its_own_time_and_platform(self):
        for at, fault in (("2025-06-19T10:00:00Z", Fault.NOT_YET_VALID),):
            with refused(fault, VerificationStage.COLLATERAL):
                verify_dcap(TDX, collateral=TDX_COLLATERAL, at=moment(at))
        with pytest.raises(EvidenceError) as caught:
            verify_dcap(TDX, collateral=TDX_COLLATERAL, at=moment("2025-07-19T10:40:00Z"))
        assert caught.value.fault in {Fault.COLLATERAL_EXPIRED, Fault.EXPIRED}
        with refused(Fault.COLLATERAL_MISMATCH, VerificationStage.COLLATERAL):
            verify_dcap(TDX, collateral=SGX_COLLATERAL, at=JUNE)
        with refused(Fault.COLLATERAL_MISMATCH, VerificationStage.COLLATERAL):
            verify_dcap(TD_15, collateral=TDX_COLLATERAL, at=JUNE)

    def test_truncated_anywhere_it_is_refused(self):
        for length in [*range(0, 700, 7), *range(700, len(SGX), 97), len(SGX) - 1]:
            with pytest.raises(EvidenceError) as caught:
                verify_dcap(SGX[:length], collateral=SGX_COLLATERAL, at=JUNE)
            assert caught.value.fault is Fault.MALFORMED

    @pytest.mark.parametrize("tail", [b"\1", b"\0\1", SGX])
    def test_bytes_after_it_are_refused(self, tail):
        with refused(Fault.TRAILING_BYTES, VerificationStage.FORMAT):
            parse_quote(SGX + tail)

    @settings(deadline=None, max_examples=150)
    @given(data=st.data())
    def test_one_bit_flipped_in_anything_signed_is_refused(self, data):
        original, used, at = data.draw(
            st.sampled_from(
                [
                    (SGX, SGX_COLLATERAL, JUNE),
                    (TDX[:-70], TDX_COLLATERAL, JUNE),
                    (TD_15, TD_15_COLLATERAL, FEBRUARY),
                ]
            )
        )
        begin = original.index(b"-----BEGIN")  # before: all that the quote's own keys sign
        bit = data.draw(st.integers(0, begin * 8 - 1))
        with pytest.raises(EvidenceError):
            verify_dcap(flipped(original, bit), collateral=used, at=at)

    @settings(deadline=None, max_examples=150)
    @given(data=st.data())
    def test_one_bit_flipped_in_signed_collateral_is_refused(self, data):
        name = data.draw(st.sampled_from(list(Collateral.__dataclass_fields__)))
        value = getattr(TDX_COLLATERAL, name)
        changed = flipped(value, data.draw(st.integers(0, len(value) * 8 - 1)))
        fields = {each: getattr(TDX_COLLATERAL, each) for each in Collateral.__dataclass_fields__}
        with pytest.raises(EvidenceError):
            verify_dcap(TDX, collateral=Collateral(**fields | {name: changed}), at=JUNE)

    def test_statements_written_again_are_not_the_ones_that_were_signed(self):
        for name in ("tcb_info", "qe_identity"):
            again = json.dumps(json.loads(getattr(TDX_COLLATERAL, name))).encode()
            fields = {
                each: getattr(TDX_COLLATERAL, each) for each in Collateral.__dataclass_fields__
            }
            with refused(Fault.COLLATERAL_SIGNATURE, VerificationStage.COLLATERAL):
                verify_dcap(TDX, collateral=Collateral(**fields | {name: again}), at=JUNE)


def flipped(data, bit):
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


@given(st.binary(max_size=1200))
def test_arbitrary_bytes_are_no_quote(data):
    for each in (data, SGX[:48] + data, TDX[:48] + data, TD_15[:54] + data):
        with pytest.raises(EvidenceError):
            verify_dcap(each, collateral=SGX_COLLATERAL, at=JUNE)


@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode()))
def test_arbitrary_bytes_are_no_collateral(data):
    for each in (data, b'{"tcb_info":' + data + b"}", b"[" * 5000):
        with pytest.raises(EvidenceError):
            Collateral.from_json(each)
