import base64
import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from support.refused_evidence import refused
from support.tpm_quotes import (
    EC_KEY,
    NONCE,
    REGISTERS,
    Recipe,
    ec_signature,
    rsa_key,
    rsa_signature,
    selection,
    sized,
)
from tabasco.verify import EvidenceError, Fault, VerificationStage
from tabasco.verify.tpm.quote import (
    CertifiedKey,
    registered_key,
    usable_key,
    verify_quote,
)
from tabasco.verify.tpm.structures import Selection, TpmReader, parse_quote, parse_signature

REPOSITORY = Path(__file__).parents[4]
OWN = REPOSITORY / "tests" / "vectors" / "tpm"
SHARED = REPOSITORY.parent / "shared" / "vectors" / "tpm"
END = datetime(2030, 1, 1, tzinfo=UTC)


def certified(key):
    return CertifiedKey(key.public_key(), "the test", END)


def verify(message=None, signature=None, registers=REGISTERS, **changes):
    message = Recipe().message() if message is None else message
    signature = rsa_signature(message) if signature is None else signature
    arguments = {"key": certified(rsa_key())} | changes
    return verify_quote(message, parse_signature(signature), registers, **arguments)


class TestPublishedQuote:
    DOCUMENT = json.loads((OWN / "quote-rsa.json").read_text())
    MESSAGE = base64.b64decode(DOCUMENT["tpm_quote"]["message"])
    SIGNATURE = base64.b64decode(DOCUMENT["tpm_quote"]["signature"])
    PUBLIC_KEY = base64.b64decode(DOCUMENT["ak_public"])
    REGISTERS = {  # noqa: RUF012 - read only
        "sha256": {n: bytes.fromhex(v) for n, v in enumerate(DOCUMENT["tpm_quote"]["pcrs"])}
    }

    def key(self):
        registered = {hashlib.sha256(self.PUBLIC_KEY).digest()}
        return registered_key(self.PUBLIC_KEY, registered=registered, valid_until=END)

    def verify(self, message=MESSAGE, signature=SIGNATURE, registers=REGISTERS):
        return verify_quote(message, parse_signature(signature), registers, key=self.key())

    def test_it_is_authentic_once_its_key_is_registered(self):
        proven = self.verify()
        assert len(proven.measurements) == 24
        assert len(proven.report_data) == 64
        assert proven.valid_until == END

    def test_its_key_is_not_certified_by_coming_along(self):
        with refused(Fault.UNKNOWN_SIGNER, VerificationStage.SIGNATURE):
            registered_key(self.PUBLIC_KEY, registered=(), valid_until=END)

    def test_no_bit_of_the_message_and_no_sampled_bit_of_the_signature_can_be_changed(self):
        key, parsed = self.key(), parse_signature(self.SIGNATURE)
        for bit in range(len(self.MESSAGE) * 8):
            forged = bytearray(self.MESSAGE)
            forged[bit // 8] ^= 1 << bit % 8
            with pytest.raises(EvidenceError):
                verify_quote(bytes(forged), parsed, self.REGISTERS, key=key)
        for bit in range(0, len(self.SIGNATURE) * 8, 7):
            forged = bytearray(self.SIGNATURE)
            forged[bit // 8] ^= 1 << bit % 8
            with pytest.raises(EvidenceError):
                self.verify(signature=bytes(forged))

    def test_no_bit_of_a_register_can_be_changed(self):
        for index, value in self.REGISTERS["sha256"].items():
            forged = bytes((value[0] ^ 1,)) + value[1:]
            with refused(Fault.MEASUREMENT, VerificationStage.BINDING):
                self.verify(registers={"sha256": self.REGISTERS["sha256"] | {index: forged}})


def protobuf(data):
    """The fields of a protobuf message, in order, by number."""
    fields, position = [], 0

    def varint():
        nonlocal position
        value = shift = 0
        while True:
            byte = data[position]
            position += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while position < len(data):
        tag = varint()
        value = varint()
        if tag & 7 == 2:
            position, value = position + value, data[position : position + value]
        fields.append((tag >> 3, value))
    return fields


@pytest.mark.skipif(not SHARED.exists(), reason="../shared/vectors/tpm is not there")
def test_quotes_of_google_machines_answer_the_nonce_they_answer():
    banks = {4: "sha1", 11: "sha256", 12: "sha384"}
    for name, nonce in (
        ("gce-attestation-nonce9009.pb", b"\x90\x09"),
        ("gce-attestation-no-nonce.pb", b""),
    ):
        fields = protobuf((SHARED / name).read_bytes())
        # TPMT_PUBLIC of an RSA key ends in its modulus.
        modulus = int.from_bytes(next(v for n, v in fields if n == 1)[-256:], "big")
        key = CertifiedKey(rsa.RSAPublicNumbers(65537, modulus).public_key(), "the test", END)
        for quote in (dict(protobuf(v)) for n, v in fields if n == 2):
            pcrs = protobuf(quote[3])
            values = [dict(protobuf(v)) for n, v in pcrs if n == 2]
            registers = {banks[dict(pcrs)[1]]: {v.get(1, 0): v[2] for v in values}}
            signature = parse_signature(quote[2])
            assert verify_quote(quote[1], signature, registers, key=key).report_data == nonce
            assert verify_quote(quote[1], signature, registers, key=key, nonce=nonce)
            with refused(Fault.NONCE, VerificationStage.BINDING):
                verify_quote(quote[1], signature, registers, key=key, nonce=b"\x90\x10")


class TestFacts:
    def test_a_quote_is_proven_by_a_certified_key(self):
        proven = verify(nonce=NONCE)
        assert proven.kind == "tpm"
        assert proven.report_data == NONCE
        assert proven.measurements == {f"pcr{n}": bytes((n,)) * 32 for n in (0, 1, 7, 23)}
        assert proven.facts["reset-count"] == 2
        assert proven.facts["clock-safe"] == "true"
        assert proven.facts["certified-by"] == "the test"

    def test_other_banks_are_named(self):
        registers = {"sha1": {4: bytes(20)}, "sha256": {4: bytes(32)}}
        message = Recipe(registers=registers).message()
        proven = verify(message, registers=registers)
        assert proven.measurements == {"sha1.pcr4": bytes(20), "pcr4": bytes(32)}
        assert [each.name for each in proven.concerns] == ["tpm.weak-registers"]

    @pytest.mark.parametrize("scheme", [0x14, 0x16])
    def test_both_schemes_of_rsa_are_read(self, scheme):
        message = Recipe().message()
        assert verify(message, rsa_signature(message, scheme=scheme))

    def test_the_digest_is_made_with_the_hash_of_the_signature(self):
        message = Recipe(hash_name="sha384").message()
        assert verify(message, rsa_signature(message, number=0x0C))
        with refused(Fault.MEASUREMENT):
            verify(message, rsa_signature(message))

    def test_a_key_on_a_curve_is_used(self):
        message = Recipe().message()
        assert verify(message, ec_signature(message), key=certified(EC_KEY))


class TestKey:
    def test_the_quote_is_signed_by_the_certified_key(self):
        message = Recipe().message()
        with refused(Fault.SIGNATURE, VerificationStage.SIGNATURE):
            verify(message, rsa_signature(message + b"\x00"))
        with refused(Fault.SIGNATURE):
            verify(
                message,
                ec_signature(message),
                key=certified(ec.derive_private_key(3, EC_KEY.curve)),
            )

    def test_a_signature_for_another_kind_of_key_is_refused(self):
        message = Recipe().message()
        with refused(Fault.UNSUPPORTED_ALGORITHM, VerificationStage.SIGNATURE):
            verify(message, ec_signature(message))
        with refused(Fault.UNSUPPORTED_ALGORITHM, VerificationStage.SIGNATURE):
            verify(message, rsa_signature(message), key=certified(EC_KEY))

    @pytest.mark.parametrize(
        "key", [ec.derive_private_key(5, ec.SECP256K1()).public_key(), b"", None]
    )
    def test_keys_of_other_kinds_are_refused(self, key):
        with refused(Fault.UNSUPPORTED_ALGORITHM):
            usable_key(key)

    def test_a_short_rsa_key_is_refused(self):
        with refused(Fault.UNSUPPORTED_ALGORITHM):
            usable_key(rsa.generate_private_key(65537, 1024).public_key())

    @pytest.mark.parametrize(
        ("data", "said"),
        [
            (b"", "cannot be read"),
            (b"\x30\x00", "cannot be read"),
            (bytes(2048), "cannot be read"),
            (bytes(2049), "an attestation key of 2049 bytes"),
        ],
    )
    def test_a_registration_of_no_key_is_refused(self, data, said):
        with refused(Fault.MALFORMED, match=said):
            registered_key(data, registered={hashlib.sha256(data).digest()}, valid_until=END)

    def test_a_registered_key_is_the_registered_one(self):
        data = EC_KEY.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        registered = {hashlib.sha256(data).digest()}
        assert registered_key(data, registered=registered, valid_until=END) == CertifiedKey(
            EC_KEY.public_key(), "registration", END
        )


class TestRegisters:
    @pytest.mark.parametrize(
        "registers",
        [
            {},
            {"sha256": {}},
            {"sha1": REGISTERS["sha256"]},
            {"sha256": REGISTERS["sha256"] | {2: bytes(32)}},
            {"sha256": {n: v for n, v in REGISTERS["sha256"].items() if n}},
            REGISTERS | {"sha1": {0: bytes(20)}},
            {"sha256": REGISTERS["sha256"] | {0: bytes(20)}},
            {"sha256": REGISTERS["sha256"] | {0: b""}},
        ],
    )
    def test_values_that_the_quote_does_not_cover_are_refused(self, registers):
        with refused(Fault.MALFORMED, VerificationStage.FORMAT):
            verify(registers=registers)

    def test_other_values_are_refused(self):
        with refused(Fault.MEASUREMENT, VerificationStage.BINDING):
            verify(registers={"sha256": REGISTERS["sha256"] | {7: bytes(32)}})
        message = Recipe(digest=bytes(32)).message()
        with refused(Fault.MEASUREMENT, VerificationStage.BINDING):
            verify(message)

    def test_a_quote_over_nothing_is_refused(self):
        with refused(Fault.MALFORMED):
            verify(Recipe(registers={}).message(), registers={})
        nothing = Recipe(registers={"sha256": {}}).message()
        with refused(Fault.MALFORMED):
            verify(nothing, registers={"sha256": {}})


class TestForm:
    @pytest.mark.parametrize("magic", [0, 0xFF544346, 0x474354FF])
    def test_what_a_tpm_signs_for_others_is_no_quote(self, magic):
        with refused(Fault.MALFORMED, VerificationStage.FORMAT):
            verify(Recipe(magic=magic).message())

    @pytest.mark.parametrize("kind", [0x8017, 0x8014, 0x801A, 0x8019, 0])
    def test_what_a_tpm_attests_otherwise_is_no_quote(self, kind):
        with refused(Fault.MALFORMED, VerificationStage.FORMAT):
            verify(Recipe(kind=kind).message())

    @pytest.mark.parametrize(
        "recipe",
        [
            Recipe(signer=bytes(67)),
            Recipe(extra_data=bytes(65)),
            Recipe(safe=2),
            Recipe(digest=bytes(65)),
            Recipe(selections=(selection("sha256", [0]),) * 2),
            Recipe(selections=(selection("sha256", [0]),) * 9),
            Recipe(selections=(selection("sha256", [0], size=5),)),
            Recipe(selections=(b"\x00\x0b\x00",)),
            Recipe(selections=(b"\x00\x12\x03\x01\x00\x00",)),
        ],
    )
    def test_a_quote_out_of_bounds_is_refused(self, recipe):
        with refused(Fault.MALFORMED, VerificationStage.FORMAT):
            parse_quote(recipe.message())

    def test_a_quote_may_be_as_large_as_is_read(self):
        registers = tuple(range(32))
        banks = ("sha1", "sha256", "sha384", "sha512")
        largest = Recipe(
            signer=bytes(range(66)),
            extra_data=bytes(range(64)),
            safe=0,
            selections=tuple(selection(bank, registers, size=4) for bank in banks),
            digest=bytes(range(64)),
        )
        quote = parse_quote(largest.message())
        assert quote.qualified_signer == largest.signer
        assert quote.extra_data == largest.extra_data
        assert quote.clock_safe is False
        assert (quote.clock, quote.reset_count, quote.restart_count) == (1000, 2, 3)
        assert quote.firmware_version == 0x2020
        assert quote.selections == tuple(Selection(bank, registers) for bank in banks)
        assert quote.digest == largest.digest

    def test_a_register_is_of_the_smallest_selection(self):
        quote = parse_quote(Recipe(selections=(selection("sha256", [0, 7], size=1),)).message())
        assert quote.selections == (Selection("sha256", (0, 7)),)

    def test_an_error_tells_bounds_apart(self):
        for count, said in ((0, "covers 0 banks"), (8, "a bank twice"), (9, "covers 9 banks")):
            recipe = Recipe(selections=(selection("sha256", [0]),) * count)
            with refused(Fault.MALFORMED, match=said):
                parse_quote(recipe.message())
        for data, said in ((bytes(1024), "magic"), (bytes(1025), "has 1025 bytes")):
            with refused(Fault.MALFORMED, match=said):
                parse_quote(data)

    def test_a_structure_may_be_as_long_as_is_read(self):
        assert TpmReader(b"four", "it", 4).take(4) == b"four"
        with refused(Fault.MALFORMED, match="it has 5 bytes, at most 4"):
            TpmReader(b"fives", "it", 4)
        assert TpmReader(sized(b"four"), "it", 9).sized(4) == b"four"
        with refused(Fault.MALFORMED, match="a field of 5 bytes, at most 4"):
            TpmReader(sized(b"fives"), "it", 9).sized(4)

    def test_a_signature_may_be_as_large_as_is_read(self):
        value = bytes(range(256)) * 2
        assert parse_signature(b"\x00\x14\x00\x0b" + sized(value)).value == value
        part = b"\x01" * 66
        found = parse_signature(b"\x00\x18\x00\x0d" + sized(part) + sized(part[1:]))
        numbers = (int.from_bytes(part), int.from_bytes(part[1:]))
        assert decode_dss_signature(found.value) == numbers
        assert (found.scheme, found.algorithm.name) == ("ecdsa", "sha512")
        with refused(Fault.MALFORMED, match="a field of 67 bytes"):
            parse_signature(b"\x00\x18\x00\x0b" + sized(part) + sized(part + b"\x01"))

    def test_it_is_refused_when_cut_anywhere_or_prolonged(self):
        message = Recipe().message()
        for length in range(len(message)):
            with refused(Fault.MALFORMED, VerificationStage.FORMAT):
                parse_quote(message[:length])
        with refused(Fault.TRAILING_BYTES):
            parse_quote(message + b"\x00")
        with refused(Fault.MALFORMED):
            parse_quote(message + bytes(2000))

    @pytest.mark.parametrize(
        ("data", "fault"),
        [
            (b"", Fault.MALFORMED),
            (b"\x00\x14\x00\x0b", Fault.MALFORMED),
            (b"\x00\x14\x00\x0b" + sized(bytes(513)), Fault.MALFORMED),
            (b"\x00\x14\x00\x0b" + sized(bytes(256)) + b"\x00", Fault.TRAILING_BYTES),
            (b"\x00\x14\x00\x04" + sized(bytes(256)), Fault.UNSUPPORTED_ALGORITHM),
            (b"\x00\x10\x00\x10", Fault.UNSUPPORTED_ALGORITHM),
            (b"\x00\x05\x00\x0b" + bytes(32), Fault.UNSUPPORTED_ALGORITHM),
            (b"\x00\x18\x00\x0b" + sized(bytes(67)) + sized(b""), Fault.MALFORMED),
            (bytes(1200), Fault.MALFORMED),
        ],
    )
    def test_another_signature_is_refused(self, data, fault):
        with refused(fault, VerificationStage.FORMAT):
            parse_signature(data)

    @pytest.mark.parametrize("value", [b"", bytes(256), bytes(255), b"\xff" * 256])
    def test_a_signature_of_no_meaning_is_refused(self, value):
        with refused(Fault.SIGNATURE, VerificationStage.SIGNATURE):
            verify(signature=b"\x00\x14\x00\x0b" + sized(value))

    @pytest.mark.parametrize(("r", "s"), [(b"", b""), (bytes(32), bytes(32)), (b"\xff" * 66,) * 2])
    def test_an_ecdsa_signature_of_no_meaning_is_refused(self, r, s):
        with refused(Fault.SIGNATURE, VerificationStage.SIGNATURE):
            verify(signature=b"\x00\x18\x00\x0b" + sized(r) + sized(s), key=certified(EC_KEY))

    @given(st.binary(max_size=200))
    def test_arbitrary_bytes_give_our_error(self, data):
        for message in (data, Recipe().message()[:6] + data):
            with pytest.raises(EvidenceError):
                parse_quote(message)
        for signature in (data, b"\x00\x14\x00\x0b" + data, b"\x00\x18\x00\x0b" + data):
            with pytest.raises(EvidenceError):
                verify(signature=signature)


@pytest.mark.parametrize("nonce", [b"", NONCE[:-1], NONCE + b"\x00", bytes(64)])
def test_another_nonce_is_refused(nonce):
    with refused(Fault.NONCE, VerificationStage.BINDING):
        verify(nonce=nonce)


def test_of_a_long_nonce_the_beginning_is_told():
    with refused(Fault.NONCE, match="expected (00){128}$"):
        verify(nonce=bytes(300))


def test_a_quote_without_a_nonce_is_refused_when_one_is_asked_for():
    message = Recipe(extra_data=b"").message()
    with refused(Fault.NONCE, VerificationStage.BINDING):
        verify(message, nonce=NONCE)
