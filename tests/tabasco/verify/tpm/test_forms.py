import json
import struct
from base64 import b64encode

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from support import cloud_evidence as clouds
from support.refused_evidence import refused
from support.throwaway_chain import NOON, Form, authority, issue
from support.tpm_quotes import (
    EC_KEY,
    Recipe,
    ec_signature,
    other_rsa_key,
    rsa_key,
    rsa_signature,
)
from tabasco.appraisal.checks import Acceptance, appraise
from tabasco.verify import EvidenceError, Fault, VerificationStage
from tabasco.verify.detection import kind_of
from tabasco.verify.evidence import verify_evidence
from tabasco.verify.kinds import EvidenceKind
from tabasco.verify.means import Means
from tabasco.verify.tpm.forms import parse_quote_of_any_form
from tabasco.verify.tpm.go_attestation import parse_go_attestation
from tabasco.verify.tpm.keylime import MAX_QUOTE_BYTES, parse_keylime
from tabasco.verify.tpm.parts import loaded
from tabasco.verify.tpm.quote_json import parse_tpm
from tabasco.verify.tpm.trustee_quote import is_trustee_quote, parse_trustee_quote
from tabasco.verify.tpm.vaportpm import is_cloud_quote

RSA, CURVE = rsa_key().public_key(), EC_KEY.public_key()
FORMS = {
    "keylime": (clouds.keylime(), CURVE),
    "vaportpm": (clouds.Cloud().json(), CURVE),
    "go-attestation": (clouds.go_attestation(), RSA),
    "trustee-hex": (clouds.trustee_quote(), RSA),
    "trustee-numbers": (clouds.trustee_quote("numbers"), RSA),
    "bincode": (clouds.trustee_quote("bincode"), RSA),
}
NAMES_ITS_KEY = {"vaportpm", "go-attestation"}


def verify(data, **means):
    return verify_evidence(data, EvidenceKind.TPM, means=Means(**means), at=NOON)


@pytest.mark.parametrize("name", FORMS)
class TestEveryForm:
    def test_a_quote_is_known_by_its_form_and_proven_under_the_key_given(self, name):
        data, key = FORMS[name]
        assert kind_of(data) is EvidenceKind.TPM
        proven = verify(data, keys={"*": key}, nonce=clouds.NONCE)
        assert proven.measurements["pcr0"] == bytes(32)
        assert proven.facts["certified-by"] == "who gave the key"
        appraise(proven, Acceptance())

    def test_under_no_key_or_another_it_is_refused_or_a_concern(self, name):
        data, _ = FORMS[name]
        others = {"*": other_rsa_key().public_key()}
        if name in NAMES_ITS_KEY:
            for keys in ({}, others):
                with refused(Fault.UNKNOWN_SIGNER, VerificationStage.APPRAISAL):
                    appraise(verify(data, keys=keys), Acceptance())
            return
        with refused(Fault.COLLATERAL_MISSING, VerificationStage.COLLATERAL, match="no key"):
            verify(data)
        with refused(Fault.SIGNATURE, VerificationStage.SIGNATURE, match="none of the 1 keys"):
            verify(data, keys=others)

    def test_another_nonce_is_refused(self, name):
        data, key = FORMS[name]
        with refused(Fault.NONCE, VerificationStage.BINDING):
            verify(data, keys={"*": key}, nonce=clouds.NONCE + b"\0")


class TestKeylime:
    def test_it_may_be_over_few_registers_of_several_banks(self):
        registers = {"sha256": {16: b"\1" * 32}, "sha384": dict.fromkeys(range(12), b"\x02" * 48)}
        proven = verify(clouds.keylime(registers), keys={"*": CURVE})
        assert set(proven.measurements) == {"pcr16", *(f"sha384.pcr{n}" for n in range(12))}

    def test_registers_of_sha1_are_a_concern_and_signatures_over_it_refused(self):
        proven = verify(clouds.keylime({"sha1": {16: bytes(20)}}), keys={"*": CURVE})
        with refused(Fault.UNSUPPORTED_ALGORITHM, VerificationStage.APPRAISAL):
            appraise(proven, Acceptance())
        appraise(proven, Acceptance(concerns=frozenset({"tpm.weak-registers"})))
        weak = clouds.keylime(signature=lambda message: rsa_signature(message, number=4))
        with refused(Fault.UNSUPPORTED_ALGORITHM, VerificationStage.FORMAT):
            verify(weak, keys={"*": RSA})

    BLOB = clouds.keylime_registers({"sha256": {0: bytes(32)}})
    LIST = 4 + 8 * 66

    def many(self, lists):
        """Registers in the first of so many lists."""
        return b"".join(
            (
                self.BLOB[:132],
                struct.pack("<I", lists),
                self.BLOB[136:],
                bytes((lists - 1) * self.LIST),
            )
        )

    @pytest.mark.parametrize(
        ("blob", "said"),
        [
            (b"\0", "have 1 bytes"),
            (BLOB[:-1], "have 667 bytes"),
            (BLOB + b"\0", "have 669 bytes"),
            (BLOB[:132] + struct.pack("<I", 2) + BLOB[136:], "have 668 bytes"),
            (BLOB[:132] + struct.pack("<I", 0x1_000_001) + BLOB[136:], "have 668 bytes"),
            (clouds.keylime_registers({}), "have 136 bytes"),
            (clouds.keylime_registers({"sha256": {0: bytes(31)}}), "register 0 of sha256 has 31"),
            (b"\x11" + BLOB[1:], "over 17 banks"),
            (b"\0" + BLOB[1:], "over 0 banks"),
            (BLOB[:3] + b"\1" + BLOB[4:], "over 16777217 banks"),
            (BLOB[:5] + b"\1" + BLOB[6:], "not known, or over one twice"),
            (b"\2" + BLOB[1:4] + 2 * BLOB[4:12] + BLOB[20:], "not known, or over one twice"),
            (BLOB[:4] + b"\x99" + BLOB[5:], "not known, or over one twice"),
            (BLOB[:6] + b"\5" + BLOB[7:], "not known, or over one twice"),
            (BLOB[:136] + b"\2" + BLOB[137:], "has 2 registers, it selects 1"),
            (BLOB[:136] + b"\x09" + BLOB[137:], "a list of 9 registers"),
            (BLOB[:139] + b"\1" + BLOB[140:], "a list of 16777217 registers"),
            (BLOB[:141] + b"\1" + BLOB[142:], "register 0 of sha256 has 64 bytes"),
        ],
    )
    def test_registers_of_another_form_are_refused(self, blob, said):
        with refused(Fault.MALFORMED, VerificationStage.FORMAT, match=said):
            parse_keylime(clouds.keylime(blob=blob))

    def test_there_may_be_as_many_lists_as_are_read_and_no_more(self):
        found = parse_keylime(clouds.keylime(blob=self.many(64))).registers
        assert found == {"sha256": {0: bytes(32)}}
        with refused(Fault.MALFORMED, VerificationStage.FORMAT, match="have 34716 bytes"):
            parse_keylime(clouds.keylime(blob=self.many(65)))

    @pytest.mark.parametrize(("size", "index"), [(3, 23), (4, 23), (4, 31)])
    def test_a_bank_may_be_of_32_registers(self, size, index):
        blob = bytearray(clouds.keylime_registers({"sha256": {index: bytes(32)}}))
        blob[6] = size
        assert parse_keylime(clouds.keylime(blob=bytes(blob))).registers == {
            "sha256": {index: bytes(32)}
        }

    def test_space_around_it_counts_to_its_size(self):
        data = clouds.keylime()
        longest = data.ljust(MAX_QUOTE_BYTES)
        assert parse_keylime(longest) == parse_keylime(data)
        with refused(Fault.MALFORMED, VerificationStage.FORMAT, match="at most"):
            parse_keylime(longest + b" ")

    @pytest.mark.parametrize(
        ("data", "said"),
        [
            (b"", "not r and three parts"),
            (b"rAA==:AA==", "not r and three parts"),
            (b"AA==:AA==:AA==", "not r and three parts"),
            (b"rA:AA==:AA==", "not base64"),
            (b"rAA==:AAA:AA==", "not base64"),
            (b"rAA===:AA==:AA==", "not base64"),
            (b"rAA==:AA==AA==:AA==", "not r and three parts"),
        ],
    )
    def test_another_form_is_refused_as_such(self, data, said):
        with refused(Fault.MALFORMED, VerificationStage.FORMAT, match=said):
            parse_keylime(data)

    def test_registers_that_the_quote_is_not_over_are_refused(self):
        blob = clouds.keylime_registers({"sha256": {0: bytes(32), 10: b"\2" * 32}})
        with refused(Fault.MEASUREMENT, VerificationStage.BINDING):
            verify(clouds.keylime(blob=blob), keys={"*": CURVE})


class TestCertified:
    ROOT = issue("root", None, authority())
    LEAF = issue("a machine", ROOT, Form(key=EC_KEY))

    def cloud(self, *chain, **changes):
        return clouds.Cloud(chain=b"".join(each.pem for each in chain).decode(), **changes).json()

    def test_a_chain_that_comes_along_counts_up_to_a_root_that_is_given(self):
        data = self.cloud(self.LEAF, self.ROOT)
        proven = verify(data, key_roots=(self.ROOT.der,))
        assert "root" in proven.facts["certified-by"]
        assert proven.valid_until == self.LEAF.certificate.not_valid_after_utc
        appraise(proven, Acceptance())
        with refused(Fault.COLLATERAL_MISSING, VerificationStage.COLLATERAL, match="no root"):
            verify(data)
        other = issue("root", None, authority())
        with pytest.raises(EvidenceError):
            verify(data, key_roots=(other.der,))

    def test_the_certificate_is_of_the_key_that_signed(self):
        leaf = issue("another machine", self.ROOT, Form())
        with refused(Fault.KEY_BINDING, VerificationStage.BINDING):
            verify(self.cloud(leaf, self.ROOT), key_roots=(self.ROOT.der,))

    def test_a_certificate_may_be_given_for_a_quote_that_has_none(self):
        leaf = issue("a machine", self.ROOT, Form(key=rsa_key()))
        means = {"certificate": leaf.der, "key_roots": (self.ROOT.der,)}
        proven = verify(clouds.trustee_quote("bincode"), **means)
        appraise(proven, Acceptance())
        with refused(Fault.UNSUPPORTED_ALGORITHM):
            verify(clouds.keylime(), **means)


class TestGoAttestation:
    @pytest.mark.parametrize("attributes", [0x50472 & ~(1 << 16), 0x50472 | 1 << 17, 0x30472])
    def test_a_key_that_attests_nothing_is_refused(self, attributes):
        data = clouds.go_attestation(area=clouds.rsa_area(attributes))
        with refused(Fault.ATTRIBUTES, VerificationStage.BINDING):
            verify(data, keys={"*": RSA})

    ZEROS = "A" * 43 + "="

    def read(self, pcrs):
        document = json.loads(clouds.go_attestation()) | {"Log": {"PCRs": pcrs}}
        return parse_go_attestation(json.dumps(document).encode()).registers

    @pytest.mark.parametrize(
        ("pcrs", "said"),
        [
            ([], "PCRs is not a list of 1 to 128"),
            (None, "PCRs is not a list"),
            ({}, "PCRs is not a list"),
            (129 * [{}], "PCRs is not a list"),
            ([1], "a register is not an object"),
            ([{}], "of hash None"),
            ([{"Index": 0, "Digest": "", "DigestAlg": True}], "of hash True"),
            ([{"Index": 0, "Digest": "AA==", "DigestAlg": 99}], "of hash 99"),
            ([{"Index": 0, "Digest": "", "DigestAlg": 5}], "register 0 has 0 bytes"),
            ([{"Index": 0, "Digest": "AA==", "DigestAlg": 5}], "register 0 has 1 bytes"),
            ([{"Index": True, "Digest": ZEROS, "DigestAlg": 5}], "register True is none"),
            ([{"Index": 0, "Digest": 1, "DigestAlg": 5}], "register 0 is not base64"),
            ([{"Index": 0, "Digest": ZEROS + "!", "DigestAlg": 5}], "register 0 is not base64"),
            ([{"Index": -1, "Digest": ZEROS, "DigestAlg": 5}], "register -1 is none"),
            ([{"Index": 32, "Digest": ZEROS, "DigestAlg": 5}], "register 32 is none"),
            (2 * [{"Index": 0, "Digest": ZEROS, "DigestAlg": 5}], "register 0 is none, or there"),
        ],
    )
    def test_registers_of_another_form_are_refused(self, pcrs, said):
        with refused(Fault.MALFORMED, VerificationStage.FORMAT, match=said):
            self.read(pcrs)

    def test_all_registers_of_every_bank_are_read(self):
        sizes = {3: 20, 5: 32, 6: 48, 7: 64}
        pcrs = [
            {"Index": index, "Digest": b64encode(bytes(size)).decode(), "DigestAlg": number}
            for number, size in sizes.items()
            for index in range(32)
        ]
        found = self.read(pcrs)
        assert {name: len(bank) for name, bank in found.items()} == dict.fromkeys(
            ("sha1", "sha256", "sha384", "sha512"), 32
        )
        assert self.read(pcrs[:1]) == {"sha1": {0: bytes(20)}}


@pytest.mark.parametrize(
    "changes",
    [
        {"pcrs": {}},
        {"pcrs": {"sha256": {"00": "00" * 32}}},
        {"pcrs": {"sha256": {"100": "00" * 32}}},
        {"pcrs": {"sha256": {"1" * 5000: "00" * 32}}},
        {"pcrs": {"sha256": {"0": "00" * 31}}},
        {"pcrs": {"md5": {"0": "00" * 16}}},
        {"ak_pubkeys": {}},
        {"ak_pubkeys": {"ecc_p256": {"x": "00" * 32, "y": "00" * 32}}},
        {"ak_pubkeys": {"ecc_p256": {"x": "00" * 33, "y": "00" * 32}}},
        {"attestation": {"tpm": {"ecc_p256": {"attest_data": "", "signature": "00"}}}},
        {"attestation": []},
    ],
    ids=range(11),
)
def test_the_json_of_a_cloud_of_another_form_is_refused(changes):
    with refused(Fault.MALFORMED, VerificationStage.FORMAT):
        verify(clouds.Cloud(changes=changes).json(), keys={"*": CURVE})


def quote_by(**members):
    message = Recipe(registers={"sha256": {0: bytes(32)}}).message().hex()
    quote = {"attest_data": message, "signature": "00"} | members
    return {"attestation": {"tpm": {"ecc_p256": quote}}}


@pytest.mark.parametrize(
    ("cloud", "said"),
    [
        (clouds.Cloud(chain=5), "the chain of the attestation key is not text"),
        (clouds.Cloud(changes=quote_by()), "the signature is not one of ECDSA in DER"),
        (
            clouds.Cloud(changes={"ak_pubkeys": {"ecc_p256": {"x": "00" * 33, "y": "00" * 32}}}),
            "the key ecc_p256 is not of two numbers of 32 bytes",
        ),
        (
            clouds.Cloud(changes={"ak_pubkeys": {"ecc_p256": {"x": "00" * 32, "y": "00" * 32}}}),
            "the key ecc_p256 is not a point of P-256",
        ),
    ],
    ids=range(4),
)
def test_of_the_json_of_a_cloud_it_is_told_what_is_of_another_form(cloud, said):
    with refused(Fault.MALFORMED, VerificationStage.FORMAT, match=said):
        verify(cloud.json(), keys={"*": CURVE})


def test_the_json_of_a_cloud_is_known_by_two_of_its_members():
    assert is_cloud_quote(clouds.Cloud().json())
    assert not is_cloud_quote(b'{"ak_pubkeys": {}}')
    assert not is_cloud_quote(b'{"attestation": {}}')


@pytest.mark.parametrize(
    "data",
    [
        clouds.trustee_quote("bincode")[:-1],
        clouds.trustee_quote("bincode") + b"\0",
        b"\xff" * 8 + clouds.trustee_quote("bincode")[8:],
        clouds.trustee_quote().replace(b'"pcrs": ["', b'"pcrs": ["0'),
        clouds.trustee_quote("numbers").replace(b"[255,", b"[256,"),
        clouds.trustee_quote("numbers").replace(b"[255,", b"[true,"),
        clouds.trustee_quote().replace(b'"signature"', b'"more": 1, "signature"'),
    ],
    ids=range(7),
)
def test_a_quote_of_azures_library_of_another_form_is_refused(data):
    with refused(Fault.MALFORMED, VerificationStage.FORMAT):
        verify(data, keys={"*": RSA})


def test_a_quote_over_few_registers_is_given_by_their_numbers():
    message = clouds.Recipe(registers={"sha256": {4: b"\4" * 32, 7: b"\7" * 32}}).message()
    encode = clouds.base64.b64encode
    key = CURVE.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    quote = {
        "message": encode(message).decode(),
        "signature": encode(ec_signature(message)).decode(),
        "pcrs": {"sha256": {"7": "07" * 32, "4": "04" * 32}},
    }
    document = {"ak_public": encode(key).decode(), "tpm_quote": quote}
    proven = verify(json.dumps(document).encode(), keys={"*": CURVE})
    assert set(proven.measurements) == {"pcr4", "pcr7"}


class TestTrustee:
    DATA = clouds.trustee_quote("bincode")
    TEXT = json.loads(clouds.trustee_quote())
    MESSAGE = bytes.fromhex(TEXT["message"])

    def bincode(self, signature, message=MESSAGE, count=24):
        parts = (struct.pack("<Q", len(each)) + each for each in (signature, message))
        return b"".join((*parts, struct.pack("<Q", count), bytes(24 * 32)))

    def test_it_is_known_by_its_members_or_where_its_message_is(self):
        assert is_trustee_quote(self.DATA)
        assert is_trustee_quote(clouds.trustee_quote())
        assert is_trustee_quote(b" " + clouds.trustee_quote())
        assert not is_trustee_quote(json.dumps(self.TEXT | {"ak_public": ""}).encode())
        assert not is_trustee_quote(b"{}")
        assert not is_trustee_quote(b"")
        assert not is_trustee_quote(self.DATA[:7] + b"\1" + self.DATA[8:])
        assert not is_trustee_quote(self.bincode(bytes(256), bytes(100)))
        assert is_trustee_quote(self.bincode(bytes(1100)))
        assert not is_trustee_quote(self.bincode(bytes(1101)))

    def test_parts_may_be_as_large_as_are_read(self):
        found = parse_trustee_quote(self.bincode(bytes(1100), bytes(1024)))
        assert (found.signature.value, found.message) == (bytes(1100), bytes(1024))
        assert found.registers == {"sha256": dict.fromkeys(range(24), bytes(32))}

    @pytest.mark.parametrize(
        ("signature", "message", "said"),
        [
            (bytes(1101), MESSAGE, "a field of 1101 bytes at 8"),
            (bytes(256), bytes(1025), "a field of 1025 bytes at 272"),
        ],
    )
    def test_larger_parts_are_refused(self, signature, message, said):
        with refused(Fault.MALFORMED, VerificationStage.FORMAT, match=said):
            parse_trustee_quote(self.bincode(signature, message))

    def test_another_number_of_registers_is_refused(self):
        for count in (23, 25, 24 + (1 << 56)):
            with refused(Fault.MALFORMED, match="does not end with 24 registers"):
                parse_trustee_quote(self.bincode(bytes(256), count=count))
        for data in (self.DATA + b"\0", self.DATA[:-1]):
            with refused(Fault.MALFORMED, match="does not end with 24 registers"):
                parse_trustee_quote(data)

    @pytest.mark.parametrize("length", [0, 7, 8, 100, 263, 264, 271, 272, 300])
    def test_it_is_refused_when_it_is_cut(self, length):
        with refused(Fault.MALFORMED, VerificationStage.FORMAT, match="the quote has a field"):
            parse_trustee_quote(self.DATA[:length])

    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({"more": 1}, "not an object of message, signature and pcrs"),
            ({"pcrs": {}}, "pcrs is not a list of 24"),
            ({"pcrs": []}, "pcrs is not a list of 24"),
            ({"pcrs": TEXT["pcrs"][1:]}, "pcrs is not a list of 24"),
            ({"pcrs": [*TEXT["pcrs"], "00" * 32]}, "pcrs is not a list of 24"),
            ({"message": 1}, "the quote is not hexadecimal"),
            ({"message": "0"}, "the quote is not hexadecimal"),
            ({"message": "00 00"}, "the quote is not hexadecimal"),
            ({"message": "\u0660\u0660"}, "the quote is not hexadecimal"),
            ({"message": "gg"}, "the quote is not hexadecimal"),
            ({"signature": 1}, "the quote is not an array of bytes"),
            ({"signature": [], "message": []}, "a register is not an array of bytes"),
            ({"signature": [256], "message": []}, "the signature has something else than bytes"),
            ({"signature": [-1], "message": []}, "the signature has something else than bytes"),
            ({"signature": [True], "message": []}, "the signature has something else than bytes"),
            ({"signature": [0.5], "message": []}, "the signature has something else than bytes"),
        ],
    )
    def test_json_of_another_form_is_refused(self, changes, said):
        with refused(Fault.MALFORMED, VerificationStage.FORMAT, match=said):
            parse_trustee_quote(json.dumps(self.TEXT | changes).encode())

    @pytest.mark.parametrize("data", [b"{", b'{"signature": 1, "signature": 1}'])
    def test_what_is_no_json_is_refused(self, data):
        with refused(Fault.MALFORMED, VerificationStage.FORMAT):
            parse_trustee_quote(data)

    def test_bytes_are_numbers_from_0_to_255(self):
        text = {name: list(bytes.fromhex(self.TEXT[name])) for name in ("message", "signature")}
        pcrs = [[0] * 32, [255] * 32, *([[7] * 32] * 22)]
        found = parse_trustee_quote(json.dumps(text | {"pcrs": pcrs}).encode())
        assert found.registers["sha256"][0] == bytes(32)
        assert found.registers["sha256"][1] == b"\xff" * 32


class TestOurJson:
    MESSAGE = Recipe(registers={"sha256": {0: bytes(32)}}).message()
    QUOTE = {  # noqa: RUF012 - read only
        "message": b64encode(MESSAGE).decode(),
        "signature": b64encode(ec_signature(MESSAGE)).decode(),
        "pcrs": {"0": "00" * 32},
    }
    ZERO = "00" * 32

    def read(self, document):
        return parse_tpm(json.dumps(document).encode())

    def registers(self, pcrs):
        document = {"ak_public": "", "tpm_quote": self.QUOTE | {"pcrs": pcrs}}
        return self.read(document).registers

    @pytest.mark.parametrize(
        ("document", "said"),
        [
            ([], "the evidence is not an object"),
            ({}, "the evidence is not an object"),
            ({"ak_public": "", "tpm_quote": QUOTE, "more": 1}, "the evidence is not an object"),
            ({"ak_public": "", "tpm_quote": []}, "tpm_quote is not an object"),
            ({"ak_public": "", "tpm_quote": QUOTE | {"more": 1}}, "tpm_quote is not an object"),
            ({"ak_public": 1, "tpm_quote": QUOTE}, "ak_public is not base64"),
            ({"ak_public": "é", "tpm_quote": QUOTE}, "ak_public is not base64"),
            ({"ak_public": "A", "tpm_quote": QUOTE}, "ak_public is not base64"),
            ({"ak_public": "AA=!=", "tpm_quote": QUOTE}, "ak_public is not base64"),
            ({"ak_public": "", "tpm_quote": QUOTE | {"message": 1}}, "message is not base64"),
            ({"ak_public": "", "tpm_quote": QUOTE | {"signature": 1}}, "signature is not base64"),
        ],
    )
    def test_json_of_another_form_is_refused(self, document, said):
        with refused(Fault.MALFORMED, VerificationStage.FORMAT, match=said):
            self.read(document)

    @pytest.mark.parametrize(
        ("pcrs", "said"),
        [
            ([], "a list of 0 registers"),
            ([ZERO] * 23, "a list of 23 registers"),
            ([ZERO] * 25, "a list of 25 registers"),
            ({}, "neither a list of registers nor an object"),
            (1, "neither a list of registers nor an object"),
            ({"sha256": {}}, "the registers of sha256 are not an object"),
            ({"sha256": [ZERO]}, "the registers of sha256 are not an object"),
            ({"00": ZERO}, "'00' is not the number"),
            ({"1" * 20: ZERO}, f"'{'1' * 16}' is not the number"),
            ({"sha256": {"0": ZERO}, "0": ZERO}, "'sha256' is not the number"),
            ({"0": 1}, "a register of sha256 is not 32 bytes"),
            ({"0": "0" * 63 + "x"}, "a register of sha256 is not 32 bytes"),
            ({"0": "00" * 31}, "a register of sha256 is not 32 bytes"),
        ],
    )
    def test_registers_of_another_form_are_refused(self, pcrs, said):
        with refused(Fault.MALFORMED, VerificationStage.FORMAT, match=said):
            self.registers(pcrs)

    def test_registers_may_be_a_list_of_all_or_an_object_of_some_or_of_all_banks(self):
        zero = bytes(32)
        assert self.registers([self.ZERO] * 24) == {"sha256": dict.fromkeys(range(24), zero)}
        assert self.registers({"10": self.ZERO, "9": self.ZERO}) == {"sha256": {9: zero, 10: zero}}
        sizes = {"sha1": 20, "sha256": 32, "sha384": 48, "sha512": 64}
        found = self.registers({bank: {"0": "00" * size} for bank, size in sizes.items()})
        assert found == {bank: {0: bytes(size)} for bank, size in sizes.items()}

    def test_the_key_comes_along_as_it_is(self):
        found = self.read({"ak_public": "AAEC", "tpm_quote": self.QUOTE})
        assert (found.public_key, found.message) == (bytes(range(3)), self.MESSAGE)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_quote_or_refused(data):
    for start in (b"", b"r", clouds.trustee_quote("bincode")[:300]):
        with pytest.raises(EvidenceError):
            verify(start + data, keys={"*": CURVE})


UNKNOWN = bytes.fromhex("302a300506032b6563032100") + bytes(32)
"""A key of an algorithm that nobody knows, as DER SubjectPublicKeyInfo."""


@pytest.mark.parametrize("data", [b"", b"no key", UNKNOWN])
def test_a_key_that_cannot_be_read_is_malformed(data):
    with refused(Fault.MALFORMED, VerificationStage.FORMAT, match="cannot be read"):
        loaded(data)


def test_of_a_message_alone_it_is_told_what_is_missing():
    message = Recipe(registers={"sha256": {0: bytes(32)}}).message()
    with refused(Fault.MALFORMED, VerificationStage.FORMAT, match="--quote-signature"):
        parse_quote_of_any_form(message)
