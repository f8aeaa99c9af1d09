import base64
import hashlib
import json
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType

import cbor2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from support.nitro_documents import (
    HOST,
    KEYS,
    LEAF,
    MADE,
    MEMBERS,
    ROOT,
    ZONE,
    Recipe,
    certificate,
)
from support.refused_evidence import refused
from tabasco.appraisal.checks import Acceptance, appraise
from tabasco.verify import EvidenceError, Fault, VerificationStage
from tabasco.verify.aws.nitro import parse_nitro, verify_nitro

REPOSITORY = Path(__file__).parents[4]
OWN = REPOSITORY / "tests" / "vectors" / "nitro"
SHARED = REPOSITORY.parent / "shared" / "vectors" / "nitro"
SECOND = timedelta(seconds=1)


def verify(data=None, **changes):
    arguments = {"at": MADE, "roots": {hashlib.sha256(ROOT).digest()}} | changes
    return verify_nitro(Recipe().document() if data is None else data, **arguments)


def with_members(changes=None, **recipe):
    return verify(Recipe(changes=changes or {}, **recipe).document())


class TestRealDocuments:
    def read(self, name):
        if name.endswith(".pem"):
            tls = x509.load_pem_x509_certificate((SHARED / name).read_bytes())
            names = tls.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            return bytes.fromhex(names.get_values_for_type(x509.DNSName)[1].split(".")[0])
        data = (SHARED / name).read_bytes()
        return base64.b64decode(data) if name.endswith(".b64") else data

    @pytest.mark.skipif(not SHARED.exists(), reason="../shared/vectors/nitro is not there")
    def test_every_document_gets_its_verdict(self):
        for vector in json.loads((SHARED / "expected.json").read_text())["vectors"]:
            at = datetime.fromisoformat(vector.get("verify_at") or vector["fields"]["time"])
            proven = verify_nitro(self.read(vector["file"]), at=at)
            if vector["expect"].startswith("accept"):
                appraise(proven, Acceptance())
            else:
                with refused(Fault.DEBUG, VerificationStage.APPRAISAL):
                    appraise(proven, Acceptance())

    @pytest.mark.skipif(not SHARED.exists(), reason="../shared/vectors/nitro is not there")
    def test_every_fact_is_the_expected_one(self):
        for vector in json.loads((SHARED / "expected.json").read_text())["vectors"]:
            document = parse_nitro(self.read(vector["file"]))
            fields = vector["fields"]
            if "pcrs_nonzero" not in fields:
                continue
            assert document.module_id == fields["module_id"]
            assert len(document.pcrs) == fields["pcr_count"]
            assert {
                str(index): value.hex() for index, value in document.pcrs.items() if any(value)
            } == fields["pcrs_nonzero"]
            for found, prefix in (
                (document.public_key, fields["public_key_hex_prefix"]),
                (document.user_data, fields["user_data_hex_prefix"]),
                (document.nonce, fields["nonce"]),
            ):
                assert (found or b"").hex().startswith(prefix or "")

    @pytest.mark.parametrize(
        ("name", "at", "debug"),
        [
            ("prod-2022.bin", "2022-10-13 08:58:02+00:00", False),
            ("debug-2022.bin", "2022-10-12 13:50:06+00:00", True),
            ("prod-2025-indefinite.bin", "2025-11-10 17:20:10+00:00", False),
        ],
    )
    def test_a_document_of_aws_is_authentic_at_its_time(self, name, at, debug):
        proven = verify_nitro((OWN / name).read_bytes(), at=datetime.fromisoformat(at))
        assert proven.kind == "nitro"
        assert proven.debug is debug

    def test_it_is_not_at_another_time(self):
        data = (OWN / "prod-2022.bin").read_bytes()
        made = datetime.fromisoformat("2022-10-13 08:58:02+00:00")
        with refused(Fault.EXPIRED, VerificationStage.CHAIN):
            verify_nitro(data, at=made + timedelta(hours=4), max_age=timedelta(days=9))
        with refused(Fault.EXPIRED, VerificationStage.APPRAISAL):
            verify_nitro(data, at=made + timedelta(minutes=6))
        with refused(Fault.NOT_YET_VALID, VerificationStage.CHAIN):
            verify_nitro(data, at=made - timedelta(minutes=2))

    @pytest.mark.filterwarnings("ignore:Parsed a serial number")
    @pytest.mark.parametrize("name", ["prod-2022.bin", "prod-2025-indefinite.bin"])
    def test_no_sampled_bit_of_it_can_be_changed(self, name):
        data = (OWN / name).read_bytes()
        at = parse_nitro(data).timestamp
        for bit in range(0, len(data) * 8, 211):
            forged = bytearray(data)
            forged[bit // 8] ^= 1 << bit % 8
            with pytest.raises(EvidenceError):
                verify_nitro(bytes(forged), at=at)

    def test_it_is_refused_when_cut_anywhere_or_prolonged(self):
        data = (OWN / "prod-2022.bin").read_bytes()
        for length in (*range(0, len(data), 97), len(data) - 1):
            with refused(Fault.MALFORMED, VerificationStage.FORMAT):
                parse_nitro(data[:length])
        with refused(Fault.TRAILING_BYTES, VerificationStage.FORMAT):
            parse_nitro(data + b"\x00")


class TestFacts:
    def test_a_document_is_proven_by_its_chain_and_signature(self):
        proven = verify()
        assert proven.measurements["pcr0"] == b"\x01" * 48
        assert len(proven.measurements) == 16
        assert proven.report_data == b"bound"
        assert not proven.debug
        assert proven.valid_until == MADE + timedelta(hours=3)
        assert proven.facts["module-id"] == "i-0-enc0"
        assert proven.facts["nonce"] == b"nonce".hex()

    @pytest.mark.parametrize("zero", [(0, 1, 2), (0,), (1,), (2,)])
    def test_an_image_that_measures_zero_is_debuggable(self, zero):
        pcrs = MEMBERS["pcrs"] | dict.fromkeys(zero, bytes(48))
        proven = with_members({"pcrs": pcrs})
        assert proven.debug
        with refused(Fault.DEBUG):
            appraise(proven, Acceptance())

    def test_fields_that_nobody_knows_are_ignored(self):
        assert with_members({"another": {"x": [cbor2.CBORTag(7, 1)]}}) == verify()


class TestEncoding:
    INDEFINITE = b"\xbf" + cbor2.dumps(MEMBERS)[1:] + b"\xff"

    def test_an_indefinite_map_is_read(self):
        assert verify(Recipe(payload=self.INDEFINITE).document()) == verify()

    @pytest.mark.parametrize(
        "payload",
        [
            INDEFINITE[:-1] + cbor2.dumps("digest") + cbor2.dumps("SHA384") + b"\xff",
            b"\xaa" + cbor2.dumps(MEMBERS)[1:] + cbor2.dumps("digest") + cbor2.dumps("SHA384"),
            cbor2.dumps(MEMBERS).replace(b"\x01\x58\x30\x02", b"\x00\x58\x30\x02"),
        ],
    )
    def test_a_repeated_key_is_refused_all_the_same(self, payload):
        with refused(Fault.MALFORMED, VerificationStage.FORMAT):
            verify(Recipe(payload=payload).document())

    def test_a_tagged_document_is_refused(self):
        with refused(Fault.MALFORMED):
            verify(b"\xd2" + Recipe().document())

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            cbor2.dumps([b"", {}, b"", b"", b""]),
            cbor2.dumps([b"", {}, b""]),
            cbor2.dumps({}),
            cbor2.dumps([b"\xa1\x01\x38\x22", {}, None, bytes(96)]),
            cbor2.dumps([{}, {}, b"", bytes(96)]),
            Recipe(protected=b"").document(),
            Recipe(unprotected={4: b"key"}).document(),
            Recipe(payload=b"\x80").document(),
            bytes(17 * 1024),
            b"\x84" * 5000,
            b"\x9b" + b"\xff" * 8,
        ],
    )
    def test_another_envelope_is_refused(self, data):
        with refused(Fault.MALFORMED, VerificationStage.FORMAT):
            verify(data)

    @pytest.mark.parametrize(
        "protected",
        [
            b"\xa0",
            b"\x80",
            cbor2.dumps({1: -7}),
            cbor2.dumps({1: -36}),
            cbor2.dumps({1: "ES384"}),
            cbor2.dumps({1: -35, 4: b"key"}),
            cbor2.dumps({1: -35, 2: [1]}),
        ],
    )
    def test_only_es384_and_nothing_else_is_protected(self, protected):
        with refused(Fault.UNSUPPORTED_ALGORITHM, VerificationStage.FORMAT):
            verify(Recipe(protected=protected).document())

    @pytest.mark.parametrize(
        "member", ["module_id", "timestamp", "pcrs", "certificate", "cabundle"]
    )
    def test_what_is_mandatory_has_to_be_there(self, member):
        with refused(Fault.MALFORMED, VerificationStage.FORMAT):
            with_members(without=member)

    def test_the_digest_has_to_be_sha384(self):
        with refused(Fault.UNSUPPORTED_ALGORITHM):
            with_members(without="digest")
        with refused(Fault.UNSUPPORTED_ALGORITHM):
            with_members({"digest": "SHA256"})

    @pytest.mark.parametrize(
        "changes",
        [
            {"module_id": ""},
            {"module_id": b"bytes"},
            {"timestamp": 0},
            {"timestamp": True},
            {"timestamp": 1.5},
            {"timestamp": 2**62},
            {"pcrs": {}},
            {"pcrs": {0: bytes(48), 1: bytes(48)}},
            {"pcrs": [bytes(48)] * 3},
            {"pcrs": MEMBERS["pcrs"] | {32: bytes(48)}},
            {"pcrs": MEMBERS["pcrs"] | {-1: bytes(48)}},
            {"pcrs": MEMBERS["pcrs"] | {"16": bytes(48)}},
            {"pcrs": MEMBERS["pcrs"] | {0: bytes(32)}},
            {"pcrs": MEMBERS["pcrs"] | {0: b""}},
            {"certificate": b""},
            {"certificate": bytes(1025)},
            {"cabundle": []},
            {"cabundle": [ROOT] * 9},
            {"cabundle": [ROOT, "text"]},
            {"cabundle": [ROOT, b""]},
            {"public_key": bytes(1025)},
            {"user_data": bytes(513)},
            {"nonce": bytes(513)},
            {"nonce": "text"},
        ],
    )
    def test_what_is_out_of_bounds_is_refused(self, changes):
        with refused(Fault.MALFORMED, VerificationStage.FORMAT):
            with_members(changes)

    @given(st.binary(max_size=200))
    def test_arbitrary_bytes_give_our_error(self, data):
        for document in (data, Recipe(payload=data).document()):
            with pytest.raises(EvidenceError):
                verify(document)


class TestChain:
    def test_a_root_of_ones_own_is_not_aws(self):
        with refused(Fault.UNKNOWN_ROOT, VerificationStage.CHAIN):
            verify_nitro(Recipe().document(), at=MADE)

    def test_the_root_in_the_bundle_is_compared_and_not_believed(self):
        other = certificate("root", KEYS[0], "root", KEYS[0], path_length=5)
        with refused(Fault.UNKNOWN_ROOT):
            with_members({"cabundle": [other, ZONE, HOST]})

    @pytest.mark.parametrize(
        ("bundle", "fault"),
        [
            ([ROOT, HOST, ZONE], Fault.CHAIN),
            ([HOST, ZONE, ROOT], Fault.UNKNOWN_ROOT),
            ([ZONE, HOST], Fault.UNKNOWN_ROOT),
            ([ROOT, ZONE], Fault.CHAIN),
            ([ROOT, HOST], Fault.CHAIN),
            ([ROOT], Fault.CHAIN),
            ([ROOT, ZONE, HOST, HOST], Fault.CHAIN),
            ([ROOT, ZONE, b"\x30\x00"], Fault.MALFORMED),
        ],
    )
    def test_a_bundle_in_another_order_is_refused(self, bundle, fault):
        with refused(fault, VerificationStage.CHAIN):
            with_members({"cabundle": bundle})

    @pytest.mark.parametrize(
        "host",
        [
            certificate("host", KEYS[2], "zone", KEYS[1], authority=False),
            certificate("host", KEYS[2], "zone", KEYS[1], usage=False),
            certificate("host", KEYS[2], "another", KEYS[1]),
            certificate("host", KEYS[2], "zone", KEYS[0]),
            certificate("host", KEYS[3], "zone", KEYS[1]),
        ],
    )
    def test_an_issuer_that_is_none_is_refused(self, host):
        with refused(Fault.CHAIN, VerificationStage.CHAIN):
            with_members({"cabundle": [ROOT, ZONE, host]})

    def test_a_path_is_no_longer_than_its_authorities_allow(self):
        zone = certificate("zone", KEYS[1], "root", KEYS[0], path_length=0)
        with refused(Fault.CHAIN):
            with_members({"cabundle": [ROOT, zone, HOST]})

    def test_the_signer_is_no_authority_and_on_p384(self):
        authority = certificate("leaf", KEYS[3], "host", KEYS[2])
        with refused(Fault.CHAIN):
            with_members({"certificate": authority})
        small = ec.derive_private_key(5, ec.SECP256R1())
        leaf = certificate("leaf", small, "host", KEYS[2], authority=False)
        with refused(Fault.UNSUPPORTED_ALGORITHM):
            with_members({"certificate": leaf})

    def test_the_document_is_signed_by_its_certificates_key(self):
        with refused(Fault.SIGNATURE, VerificationStage.SIGNATURE):
            with_members(key=KEYS[2])

    @pytest.mark.parametrize("end", [0, 1, 2])
    def test_a_signature_of_another_form_is_refused(self, end):
        elements = cbor2.loads(Recipe().document())
        elements[3] = [bytes(96), elements[3][:-1], elements[3] + b"\x00"][end]
        with refused(Fault.SIGNATURE):
            verify(cbor2.dumps(elements))


class TestTime:
    WIDE = MappingProxyType({"max_age": timedelta(days=30)})

    def test_a_certificate_counts_to_its_last_second(self):
        end = MADE + timedelta(hours=3)
        assert verify(at=end, **self.WIDE).valid_until == end
        with refused(Fault.EXPIRED, VerificationStage.CHAIN):
            verify(at=end + SECOND, **self.WIDE)

    def test_the_certificates_are_valid_when_the_document_is_made(self):
        late = certificate(
            "leaf", KEYS[3], "host", KEYS[2], authority=False, start=MADE + timedelta(seconds=30)
        )
        data = Recipe(changes={"certificate": late}).document()
        with refused(Fault.NOT_YET_VALID, VerificationStage.CHAIN):
            verify(data, at=MADE + timedelta(minutes=2))

    def test_a_document_ages(self):
        assert verify(at=MADE + timedelta(minutes=5))
        with refused(Fault.EXPIRED, VerificationStage.APPRAISAL):
            verify(at=MADE + timedelta(minutes=5, seconds=1))

    def test_a_document_of_the_future_is_refused_beyond_the_skew(self):
        assert verify(at=MADE - timedelta(minutes=1))
        with refused(Fault.NOT_YET_VALID, VerificationStage.APPRAISAL):
            verify(at=MADE - timedelta(minutes=1, seconds=1))


class TestNonce:
    def test_a_document_answers_its_nonce(self):
        assert verify(nonce=b"nonce") == verify()

    @pytest.mark.parametrize("nonce", [b"", b"nonc", b"Nonce", bytes(32)])
    def test_another_nonce_is_refused(self, nonce):
        with refused(Fault.NONCE, VerificationStage.BINDING):
            verify(nonce=nonce)

    def test_a_document_without_a_nonce_is_refused_when_one_is_asked_for(self):
        data = Recipe(changes={"nonce": None}).document()
        with refused(Fault.NONCE):
            verify(data, nonce=b"nonce")

    def test_what_is_bound_is_compared_whole(self):
        appraise(verify(), Acceptance(report_data=b"bound"))
        with refused(Fault.REPORT_DATA):
            appraise(verify(), Acceptance(report_data=b"boun"))


def test_the_leaf_is_the_one_of_these_tests():
    assert parse_nitro(Recipe().document()).certificate == LEAF
