import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from psa_attestation.cbor.decoding import ANY_TAG, DecodeLimits
from psa_attestation.cbor.values import WritingError
from psa_attestation.cose import messages, signing
from psa_attestation.cose.messages import parse, verify1
from psa_attestation.cose.signing import sign1
from psa_attestation.cose.verification import MacAlgorithm, MacKey
from psa_attestation.errors import AttestationError, ErrorCode, Stage
from support.mac0 import mac0
from support.psa_tokens import (
    DEVICE,
    DEVICE_384,
    DEVICE_521,
    STRANGER,
    message_by_hand,
    raw_signature,
    refused,
    sign1_by_hand,
)
from veracruz_utils.secret import Secret

PUBLIC = DEVICE.public_key()
MAC_KEY = MacKey(Secret(bytes(range(32))))
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@pytest.mark.parametrize("key", [DEVICE, DEVICE_384, DEVICE_521])
def test_what_is_signed_verifies_with_the_algorithm_of_its_key(key):
    message = sign1(b"content", key)
    assert verify1(message, key.public_key()) == b"content"
    assert parse(message).algorithm == {256: -7, 384: -35, 521: -36}[key.curve.key_size]


@pytest.mark.parametrize("key", [DEVICE, DEVICE_384, DEVICE_521])
def test_what_others_sign_verifies(key):
    assert verify1(sign1_by_hand(b"content", key), key.public_key()) == b"content"


@pytest.mark.parametrize(("key", "alias"), [(DEVICE, -9), (DEVICE_384, -51), (DEVICE_521, -52)])
def test_the_fully_specified_identifiers_mean_the_same(key, alias):
    message = sign1_by_hand(b"content", key, protected={1: alias})
    assert verify1(message, key.public_key()) == b"content"


def test_our_message_is_laid_out_as_the_standard_says():
    message = cbor2.loads(sign1(b"content", DEVICE, unprotected={33: b"certificate"}))
    assert message.tag == 18
    protected, unprotected, payload, signature = message.value
    assert (protected, unprotected, payload) == (
        bytes.fromhex("a10126"),
        {33: b"certificate"},
        b"content",
    )
    assert len(signature) == 64


@pytest.mark.parametrize("algorithm", list(MacAlgorithm))
def test_what_is_maced_verifies_with_its_key(algorithm):
    key = MacKey(Secret(bytes(algorithm.tag_bytes)), algorithm)
    message = mac0(b"content", key, external_aad=b"context")
    assert parse(message).verify(key, external_aad=b"context") == b"content"
    with refused(ErrorCode.SIGNATURE):
        parse(message).verify(key)


def test_how_deep_a_protected_header_nests_is_bounded():
    nested = [[[]]]
    assert verify1(sign1_by_hand(b"c", protected={1: -7, 99: nested}), PUBLIC) == b"c"
    with refused(ErrorCode.NESTING_LIMIT, Stage.ENCODING):
        verify1(sign1_by_hand(b"c", protected={1: -7, 99: [nested]}), PUBLIC)


def test_labels_and_identifiers_are_those_of_the_registry():
    """IANA, "CBOR Object Signing and Encryption (COSE)"."""
    assert (messages.ALG, messages.CONTENT_TYPE, messages.KID, signing.X5CHAIN) == (1, 3, 4, 33)
    assert [algorithm.value for algorithm in MacAlgorithm] == [5, 6, 7]


class TestSignature:
    def verify_with(self, signature):
        header = bytes.fromhex("a10126")
        return verify1(message_by_hand(header, {}, b"content", signature), PUBLIC)

    right = raw_signature(
        DEVICE, cbor2.dumps(["Signature1", bytes.fromhex("a10126"), b"", b"content"])
    )

    def test_a_high_s_is_as_good_as_a_low_one(self):
        r, s = self.right[:32], int.from_bytes(self.right[32:])
        assert self.verify_with(self.right) == b"content"
        assert self.verify_with(r + (ORDER - s).to_bytes(32)) == b"content"

    @pytest.mark.parametrize("size", [0, 63, 65, 70, 96, 132])
    def test_its_length_is_fixed(self, size):
        with refused(ErrorCode.SIGNATURE_ENCODING, Stage.SIGNATURE):
            self.verify_with((self.right * 3)[:size])

    def test_the_der_form_is_refused(self):
        data = cbor2.dumps(["Signature1", bytes.fromhex("a10126"), b"", b"content"])
        der = DEVICE.sign(data, ec.ECDSA(ec.hashes.SHA256()))
        with refused(ErrorCode.SIGNATURE_ENCODING):
            self.verify_with(der)

    @pytest.mark.parametrize(
        ("r", "s"),
        [(0, 0), (0, 1), (1, 0), (ORDER, 1), (1, ORDER), (ORDER, ORDER), (2**256 - 1, 1), (1, 1)],
    )
    def test_numbers_at_the_edges_are_refused(self, r, s):
        with refused(ErrorCode.SIGNATURE, Stage.SIGNATURE):
            self.verify_with(r.to_bytes(32) + s.to_bytes(32))

    def test_r_and_s_exchanged_are_refused(self):
        with refused(ErrorCode.SIGNATURE):
            self.verify_with(self.right[32:] + self.right[:32])

    def test_another_key_is_refused(self):
        with refused(ErrorCode.SIGNATURE):
            verify1(sign1(b"content", STRANGER), PUBLIC)

    def test_the_context_of_another_structure_is_refused(self):
        for context in ("Signature", "MAC0", "signature1", "Signature2"):
            with refused(ErrorCode.SIGNATURE):
                verify1(sign1_by_hand(b"content", context=context), PUBLIC)

    def test_external_data_has_to_agree(self):
        message = sign1(b"content", DEVICE, external_aad=b"one")
        assert verify1(message, PUBLIC, external_aad=b"one") == b"content"
        for other in (b"", b"two"):
            with refused(ErrorCode.SIGNATURE):
                verify1(message, PUBLIC, external_aad=other)

    def test_the_unprotected_header_is_not_covered(self):
        one, other = (
            sign1_by_hand(b"content", protected={1: -7}, unprotected=unprotected)
            for unprotected in ({}, {4: b"kid"})
        )
        assert verify1(one, PUBLIC) == verify1(other, PUBLIC)


class TestAlgorithm:
    @pytest.mark.parametrize(
        ("protected", "code"),
        [
            (b"", ErrorCode.ALG_NOT_PROTECTED),
            ({}, ErrorCode.ALG_NOT_PROTECTED),
            ({4: b"kid"}, ErrorCode.ALG_NOT_PROTECTED),
            ({1: -999}, ErrorCode.ALG_UNKNOWN),
            ({1: "ES256"}, ErrorCode.ALG_UNKNOWN),
            ({1: None}, ErrorCode.ALG_UNKNOWN),
            ({1: True}, ErrorCode.ALG_UNKNOWN),
            ({1: -7.0}, ErrorCode.ALG_UNKNOWN),
            ({1: -8}, ErrorCode.ALG_UNKNOWN),
            ({1: -37}, ErrorCode.ALG_UNKNOWN),
            ({1: 0}, ErrorCode.ALG_UNKNOWN),
            ({1: 5}, ErrorCode.TYPE_CONFUSION),
            ({1: -35}, ErrorCode.ALG_KEY_MISMATCH),
            ({1: -36}, ErrorCode.ALG_KEY_MISMATCH),
            ({1: -51}, ErrorCode.ALG_KEY_MISMATCH),
        ],
    )
    def test_only_the_keys_own_will_do(self, protected, code):
        with refused(code):
            verify1(sign1_by_hand(b"content", protected=protected), PUBLIC)

    def test_one_that_is_not_protected_does_not_count(self):
        for protected in (b"", {}):
            with refused(ErrorCode.ALG_NOT_PROTECTED, Stage.ENVELOPE):
                verify1(sign1_by_hand(b"c", protected=protected, unprotected={1: -7}), PUBLIC)

    def test_the_public_key_is_no_mac_key(self):
        spki = PUBLIC.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        forged = mac0(b"content", MacKey(Secret(spki)))
        with refused(ErrorCode.TYPE_CONFUSION, Stage.ENVELOPE):
            verify1(forged, PUBLIC)

    def test_a_mac_key_verifies_no_signature(self):
        with refused(ErrorCode.TYPE_CONFUSION):
            parse(sign1(b"content", DEVICE)).verify(MAC_KEY)

    def test_a_signature_under_the_tag_of_a_mac_is_refused(self):
        with refused(ErrorCode.TYPE_CONFUSION):
            parse(sign1_by_hand(b"content", tag=17))

    def test_a_mac_under_the_tag_of_a_signature_is_refused(self):
        with refused(ErrorCode.TYPE_CONFUSION):
            parse(b"\xd2" + mac0(b"content", MAC_KEY)[1:])

    def test_a_mac_of_another_length_is_refused(self):
        key = MacKey(Secret(bytes(64)), MacAlgorithm.HMAC_512)
        with refused(ErrorCode.ALG_KEY_MISMATCH):
            parse(mac0(b"content", key)).verify(MAC_KEY)

    @pytest.mark.parametrize("tag", [b"", bytes(31), bytes(33), bytes(64)])
    def test_the_tag_of_a_mac_has_a_fixed_length(self, tag):
        with refused(ErrorCode.SIGNATURE_ENCODING):
            parse(message_by_hand(b"\xa1\x01\x05", {}, b"c", tag, tag=17)).verify(MAC_KEY)

    def test_a_mac_of_another_key_is_refused(self):
        with refused(ErrorCode.SIGNATURE):
            parse(mac0(b"content", MacKey(Secret(bytes(32))))).verify(MAC_KEY)

    @pytest.mark.parametrize("curve", [ec.SECP256K1(), ec.SECP224R1(), ec.BrainpoolP256R1()])
    def test_other_curves_are_refused(self, curve):
        key = ec.generate_private_key(curve)
        with pytest.raises(WritingError, match="only P-256, P-384 and P-521"):
            sign1(b"content", key)
        with refused(ErrorCode.KEY_UNSUPPORTED, Stage.KEY):
            verify1(sign1(b"content", DEVICE), key.public_key())

    @pytest.mark.parametrize("algorithm", list(MacAlgorithm))
    def test_a_mac_key_shorter_than_its_tag_is_refused(self, algorithm):
        with refused(ErrorCode.KEY_UNSUPPORTED):
            MacKey(Secret(bytes(algorithm.tag_bytes - 1)), algorithm)

    def test_a_mac_key_does_not_show_itself(self):
        assert "0001" not in repr(MAC_KEY)
        assert "\\x" not in repr(MAC_KEY)


class TestHeaders:
    @pytest.mark.parametrize(
        "protected",
        [
            {1: -7, 2: [9999], 9999: 1},
            {1: -7, 2: ["exp"], "exp": 1},
            {1: -7, 2: [4]},
            {1: -7, 2: []},
            {1: -7, 2: 1},
            {1: -7, 2: None},
            {1: -7, 2: [True]},
            {1: -7, 2: [1.0]},
            {1: -7, 2: [[1]]},
            {1: -7, 2: [1, 9999], 9999: 1},
        ],
    )
    def test_a_critical_parameter_we_do_not_know_or_find_is_refused(self, protected):
        with refused(ErrorCode.CRIT, Stage.ENVELOPE):
            verify1(sign1_by_hand(b"content", protected=protected), PUBLIC)

    def test_critical_parameters_are_named_in_the_protected_header(self):
        with refused(ErrorCode.CRIT):
            verify1(sign1_by_hand(b"content", unprotected={2: [1]}), PUBLIC)

    def test_critical_parameters_we_know_are_accepted(self):
        protected = {1: -7, 2: [1, 4], 4: b"kid"}
        assert verify1(sign1_by_hand(b"content", protected=protected), PUBLIC) == b"content"

    def test_other_parameters_are_ignored(self):
        message = sign1_by_hand(
            b"content", protected={1: -7, "x": [1]}, unprotected={4: b"kid", 33: b"", "y": {1: 2}}
        )
        assert verify1(message, PUBLIC) == b"content"

    @pytest.mark.parametrize("label", [1, 4, "text"])
    def test_a_parameter_in_both_buckets_is_refused(self, label):
        protected = {1: -7, label: -7}
        with refused(ErrorCode.LABEL_IN_BOTH_BUCKETS, Stage.ENVELOPE):
            verify1(sign1_by_hand(b"c", protected=protected, unprotected={label: -7}), PUBLIC)

    @pytest.mark.parametrize(
        ("header", "code"),
        [
            ("a2012601385c", ErrorCode.DUPLICATE_KEY),
            ("bf0126ff", ErrorCode.INDEFINITE_LENGTH),
            ("a1012600", ErrorCode.TRAILING_BYTES),
            ("a10126a10126", ErrorCode.TRAILING_BYTES),
            ("a101", ErrorCode.MALFORMED),
            ("820126", ErrorCode.MALFORMED),
            ("26", ErrorCode.MALFORMED),
            ("f6", ErrorCode.MALFORMED),
            ("a20126" + "4100" + "00", ErrorCode.MALFORMED),
            ("a20126" + "f5" + "00", ErrorCode.MAP_KEY),
            ("a20126" + "04" + "c100", ErrorCode.UNEXPECTED_TAG),
            ("a20126" + "04" + "81818181" + "80", ErrorCode.NESTING_LIMIT),
        ],
    )
    def test_a_protected_header_that_can_be_read_in_two_ways_is_refused(self, header, code):
        with refused(code):
            verify1(sign1_by_hand(b"content", protected=bytes.fromhex(header)), PUBLIC)

    def test_a_protected_header_in_other_widths_is_signed_as_it_came(self):
        header = bytes.fromhex("b8011801" + "3806")
        assert verify1(sign1_by_hand(b"content", protected=header), PUBLIC) == b"content"


class TestEnvelope:
    HEADER = bytes.fromhex("a10126")

    @pytest.mark.parametrize(
        ("elements", "code"),
        [
            ([HEADER, {}, b"c"], ErrorCode.MALFORMED),
            ([HEADER, {}, b"c", bytes(64), 0], ErrorCode.MALFORMED),
            ([HEADER, {}, None, bytes(64)], ErrorCode.PAYLOAD_NIL),
            ([HEADER, {}, "c", bytes(64)], ErrorCode.MALFORMED),
            ([HEADER, {}, b"c", "s"], ErrorCode.MALFORMED),
            ([HEADER, [], b"c", bytes(64)], ErrorCode.MALFORMED),
            ([{1: -7}, {}, b"c", bytes(64)], ErrorCode.MALFORMED),
            ([HEADER, {}, cbor2.CBORTag(18, b"c"), bytes(64)], ErrorCode.MALFORMED),
            ([HEADER, {b"label": 1}, b"c", bytes(64)], ErrorCode.MALFORMED),
        ],
    )
    def test_four_elements_of_the_right_types_are_expected(self, elements, code):
        with refused(code, Stage.ENVELOPE):
            parse(message_by_hand(*elements))

    def test_a_message_that_is_no_array_is_refused(self):
        with refused(ErrorCode.MALFORMED):
            parse(cbor2.dumps(cbor2.CBORTag(18, {0: 1})))

    @pytest.mark.parametrize("tag", [16, 19, 24, 96, 97, 98, 399])
    def test_other_tags_are_refused(self, tag):
        with refused(ErrorCode.UNEXPECTED_TAG):
            parse(sign1_by_hand(b"content", tag=tag))
        with refused(ErrorCode.UNEXPECTED_TAG):
            parse(sign1_by_hand(b"content", tag=tag), DecodeLimits(tags=ANY_TAG))

    def test_no_tag_and_a_cwt_tag_are_refused(self):
        message = sign1(b"content", DEVICE)
        with refused(ErrorCode.MISSING_TAG_18):
            parse(message[1:])
        with refused(ErrorCode.CWT_TAG_NOT_USED):
            parse(b"\xd8\x3d" + message)

    def test_a_tag_within_the_tag_is_refused(self):
        with refused(ErrorCode.MALFORMED):
            parse(b"\xd2" + sign1(b"content", DEVICE))


@given(st.binary(max_size=80))
def test_arbitrary_bytes_are_refused_as_malformed_and_not_otherwise(data):
    for prefix in (b"", b"\xd2", b"\xd2\x84", b"\xd2\x84\x43\xa1\x01\x26\xa0"):
        with pytest.raises(AttestationError):
            verify1(prefix + data, PUBLIC)


@given(st.binary(max_size=200), st.binary(max_size=40))
def test_any_payload_and_context_come_back(payload, aad):
    assert verify1(sign1(payload, DEVICE, external_aad=aad), PUBLIC, external_aad=aad) == payload
