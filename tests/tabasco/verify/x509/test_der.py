"""DER: every value has one form, and every length is held to what is there."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.refused_evidence import refused
from tabasco.verify import EvidenceError, Fault, VerificationStage
from tabasco.verify.x509 import der

NULL = b"\x05\x00"


def malformed(match=None):
    return refused(Fault.MALFORMED, VerificationStage.CHAIN, match=match)


def element(encoded, tag):
    return der.read(bytes.fromhex(encoded), tag)


def wrapped(content, tag=der.SEQUENCE):
    size = len(content)
    length = [size] if size < 0x80 else [0x81, size]
    return bytes([tag, *length]) + content


class TestValues:
    def test_a_value_is_read_with_what_it_was_encoded_as(self):
        assert element("0402abcd", der.OCTET_STRING) == der.Element(
            der.OCTET_STRING, b"\xab\xcd", b"\x04\x02\xab\xcd"
        )

    def test_nothing_follows_a_value(self):
        with malformed("2 bytes follow"):
            element("0402abcd0500", der.OCTET_STRING)

    def test_a_value_has_the_tag_that_is_asked_for(self):
        with malformed("has tag 0x04, expected 0x30"):
            element("0400", der.SEQUENCE)

    @pytest.mark.parametrize("encoded", ["1f0100", "3f0100", "bf0100"])
    def test_a_tag_is_one_byte(self, encoded):
        with malformed("long tag"):
            element(encoded, int(encoded[:2], 16))

    def test_the_highest_tag_of_one_byte_is_read(self):
        assert element("1e00", 0x1E).content == b""

    @pytest.mark.parametrize(
        ("head", "size"),
        [
            ("0400", 0), ("0401", 1), ("047f", 127), ("048180", 128), ("0481ff", 255),
            ("04820100", 256), ("04820101", 257), ("0482ffff", 65_535), ("0483010000", 65_536),
        ],
    )  # fmt: skip
    def test_a_length_is_read_in_its_shortest_form(self, head, size):
        content = bytes(number % 251 for number in range(size))
        assert der.read(bytes.fromhex(head) + content, der.OCTET_STRING).content == content

    @pytest.mark.parametrize(
        ("head", "size"),
        [("048100", 0), ("048105", 5), ("04817f", 127), ("04820080", 128), ("0483000100", 256)],
    )
    def test_a_longer_form_of_a_length_is_refused(self, head, size):
        with malformed("length is not in its shortest form"):
            der.read(bytes.fromhex(head) + bytes(size), der.OCTET_STRING)

    @pytest.mark.parametrize(
        ("head", "size"),
        [("0480", 0), ("0480", 128), ("0481", 0), ("048201", 0), ("048401000000", 0), ("04ff", 9)],
    )
    def test_a_length_is_definite_whole_and_below_16_mib(self, head, size):
        with malformed("length is indefinite, too large or cut off"):
            der.read(bytes.fromhex(head) + bytes(size), der.OCTET_STRING)

    @pytest.mark.parametrize("encoded", ["", "04", "0401", "0405abcdef12", "048180"])
    def test_a_value_that_is_cut_off_is_refused(self, encoded):
        with malformed("a DER value is cut off"):
            element(encoded, der.OCTET_STRING)

    @given(st.binary(max_size=64))
    def test_arbitrary_bytes_are_a_value_in_its_one_form_or_an_error(self, data):
        try:
            found = der.read(data, data[0] if data else 0)
        except EvidenceError:
            return
        assert found.encoded == data
        assert data.endswith(found.content)


class TestMembers:
    def test_each_member_is_read_where_it_stands(self):
        found = der.children(element("300804010a0500020107", der.SEQUENCE))
        assert [each.encoded.hex() for each in found] == ["04010a", "0500", "020107"]

    def test_a_member_that_is_cut_off_is_refused(self):
        for encoded in ("3003050005", "300405000401"):
            with malformed("cut off"):
                der.children(element(encoded, der.SEQUENCE))

    def test_a_sequence_has_at_most_64_members(self):
        assert len(der.children(der.read(wrapped(NULL * 64), der.SEQUENCE))) == 64
        with malformed("more than 64"):
            der.children(der.read(wrapped(NULL * 65), der.SEQUENCE))

    def test_a_sequence_has_the_members_that_are_asked_for(self):
        found = der.read(wrapped(NULL + b"\x02\x01\x07"), der.SEQUENCE)
        assert [each.content for each in der.sequence(found, 0x05, der.INTEGER)] == [b"", b"\x07"]
        for tags in [(), (0x05,), (der.INTEGER, 0x05), (0x05, der.INTEGER, 0x05)]:
            with malformed("other members"):
                der.sequence(found, *tags)
        with malformed("has tag 0x31"):
            der.sequence(der.read(wrapped(NULL, der.SET), der.SET), 0x05)


class TestSigned:
    def test_what_is_signed_comes_with_its_algorithm_and_signature(self):
        body, algorithm = wrapped(NULL), wrapped(NULL * 2)
        encoded = wrapped(body + algorithm + bytes.fromhex("030400aabbcc"))
        signed, by, signature = der.signed(encoded)
        assert (signed.encoded, by.encoded, signature.hex()) == (body, algorithm, "aabbcc")

    @pytest.mark.parametrize("signature", ["030401aabb00", "0300"], ids=["unused-bits", "empty"])
    def test_a_signature_is_of_whole_bytes(self, signature):
        with malformed("whole bytes"):
            der.signed(wrapped(wrapped(NULL) * 2 + bytes.fromhex(signature)))


COMMON, COUNTRY = "0603550403", "0603550406"


def name(*parts):
    """A distinguished name: each part one set of pairs, in hexadecimal."""
    return der.read(
        wrapped(
            b"".join(
                wrapped(b"".join(wrapped(bytes.fromhex(pair)) for pair in part), der.SET)
                for part in parts
            )
        ),
        der.SEQUENCE,
    )


@pytest.mark.parametrize(
    ("parts", "found"),
    [
        ([], ""),
        ([[COMMON + "0c0161"]], "a"),
        ([[COMMON + "130161"]], "a"),
        ([[COMMON + "0c01ff"]], "\ufffd"),
        ([[COMMON + "160161"]], ""),
        ([[COUNTRY + "13025858"]], ""),
        ([[COUNTRY + "13025858"], [COMMON + "0c0161"]], "a"),
        ([[COUNTRY + "13025858", COMMON + "0c0161"]], "a"),
        ([[COMMON + "0c0161"], [COMMON + "0c0162"]], ""),
        ([[COMMON + "0c0161", COMMON + "0c0162"]], ""),
    ],
    ids=[
        "empty", "utf8", "printable", "no-utf8", "another-text", "another-name", "second", "beside",
        "two", "two-beside",
    ],
)  # fmt: skip
def test_a_common_name_is_the_only_one(parts, found):
    assert der.common_name(name(*parts)) == found


class TestIntegers:
    @pytest.mark.parametrize(
        ("encoded", "value"),
        [
            ("020100", 0), ("020101", 1), ("02017f", 127), ("02020080", 128), ("020200ff", 255),
            ("02020100", 256), ("02020101", 257), ("02027f00", 0x7F00), ("0a0102", 2),
            ("021500" + "ff" * 20, (1 << 160) - 1),
        ],
    )  # fmt: skip
    def test_an_integer_is_read(self, encoded, value):
        assert der.integer(element(encoded, int(encoded[:2], 16))) == value

    @pytest.mark.parametrize(
        "encoded", ["020180", "0201ff", "02028000", "0202ff7f", "02020000", "0202007f"]
    )
    def test_an_integer_is_not_negative_and_in_its_shortest_form(self, encoded):
        with malformed("negative or not in its shortest form"):
            der.integer(element(encoded, der.INTEGER))

    @pytest.mark.parametrize("encoded", ["0200", "0216" + "01" * 22, "010101"])
    def test_an_integer_has_one_to_21_bytes_and_its_tag(self, encoded):
        with malformed("missing or too long"):
            der.integer(element(encoded, int(encoded[:2], 16)))


class TestIdentifiers:
    @pytest.mark.parametrize(
        ("encoded", "dotted"),
        [
            ("060100", "0.0"), ("060127", "0.39"), ("060128", "1.0"), ("06014f", "1.39"),
            ("060150", "2.0"), ("0603883703", "2.999.3"), ("06022a03", "1.2.3"),
            ("06022a7f", "1.2.127"), ("06032a8100", "1.2.128"), ("06032a8101", "1.2.129"),
            ("06042a818001", "1.2.16385"), ("0603550406", "2.5.4.6"),
            ("060a2a864886f84d010d0101", "1.2.840.113741.1.13.1.1"),
            ("06202a" + "01" * 31, "1.2" + ".1" * 31),
        ],
    )  # fmt: skip
    def test_an_identifier_is_read_in_dotted_form(self, encoded, dotted):
        assert der.object_identifier(element(encoded, der.OBJECT_IDENTIFIER)) == dotted

    @pytest.mark.parametrize("encoded", ["0600", "06022a80", "06032a8180", "06212a" + "01" * 32])
    def test_an_identifier_is_whole_and_has_at_most_32_bytes(self, encoded):
        with malformed("cut off or too long"):
            der.object_identifier(element(encoded, der.OBJECT_IDENTIFIER))

    @pytest.mark.parametrize("encoded", ["06032a8001", "06028001"])
    def test_an_identifier_is_in_its_shortest_form(self, encoded):
        with malformed("identifier is not in its shortest form"):
            der.object_identifier(element(encoded, der.OBJECT_IDENTIFIER))

    def test_an_identifier_has_its_tag(self):
        with malformed("has tag 0x04"):
            der.object_identifier(element("04022a03", der.OCTET_STRING))


def time(text, tag):
    return der.time(der.Element(tag, text, b"")).isoformat()


class TestTimes:
    @pytest.mark.parametrize(
        ("text", "tag", "found"),
        [
            (b"491231235959Z", der.UTC_TIME, "2049-12-31T23:59:59+00:00"),
            (b"500101000000Z", der.UTC_TIME, "1950-01-01T00:00:00+00:00"),
            (b"20500101000000Z", der.GENERALIZED_TIME, "2050-01-01T00:00:00+00:00"),
            (b"19500101000000Z", der.GENERALIZED_TIME, "1950-01-01T00:00:00+00:00"),
        ],
    )
    def test_a_time_is_in_one_of_two_forms(self, text, tag, found):
        assert time(text, tag) == found

    @pytest.mark.parametrize(
        "text",
        [
            b"", b"4912312359Z", b"20491231235959Z", b"4912312359590", b"\xb2912312359599",
            b"\xb291231235959Z", b"+91231235959Z", b"49123123595xZ", b"4912312359 9Z",
            b"491231235959z",
        ],
    )  # fmt: skip
    def test_another_form_is_refused(self, text):
        with malformed("has not the form"):
            time(text, der.UTC_TIME)

    def test_another_tag_is_refused(self):
        with malformed("has not the form"):
            time(b"491231235959Z", der.GENERALIZED_TIME)
        with malformed("has not the form"):
            time(b"491231235959Z", der.OCTET_STRING)

    @pytest.mark.parametrize("text", [b"491331235959Z", b"490230000000Z", b"491231245959Z"])
    def test_a_time_that_never_is_is_refused(self, text):
        with malformed("out of range"):
            time(text, der.UTC_TIME)


class TestAttributes:
    def test_attributes_are_found_by_their_identifier(self):
        pairs = [element(each, der.SEQUENCE) for each in ("300606022a030500", "300706022a04020107")]
        found = der.attributes(pairs)
        assert {key: value.encoded.hex() for key, value in found.items()} == {
            "1.2.3": "0500",
            "1.2.4": "020107",
        }

    def test_an_attribute_twice_is_refused(self):
        pair = element("300606022a030500", der.SEQUENCE)
        with malformed(r"attribute 1\.2\.3 is there twice"):
            der.attributes([pair, pair])

    @pytest.mark.parametrize("pair", ["300406022a03", "300806022a0305000500", "3000"])
    def test_an_attribute_is_a_pair(self, pair):
        with malformed("is not a pair"):
            der.attributes([element(pair, der.SEQUENCE)])
