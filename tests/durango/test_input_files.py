"""A file is held against what the policy says of its place, and none of a wrong one leaves."""

import json

import pytest

from colima.runtime import ContentKind
from durango.content import open_content
from durango.errors import ContentError, NotAuthorisedError, WrongInputError
from durango.input_files import check_input, encoded, text_form
from durango.input_places import place_of, places
from support.policies import NOW, current_document, text
from veracruz_utils.encoding.pinecone import encode, parse_type
from veracruz_utils.encoding.rows.reading import Reading
from veracruz_utils.policy import Policy

PEOPLE = "Vec<{name: String, age: u8}>"
POINTS = "Vec<(f64, f64)>"


def policy(*inputs, order=None):
    document = current_document()
    client = document["data_provision_order"][0]
    return Policy.parse(
        text(
            document | {"data_provision_order": order or [client] * len(inputs), "inputs": inputs}
        ),
        at=NOW,
    )


def first(found, package=0):
    owner = found.data_provision_order[0]
    (member,) = (each for each in found.identities if each.client_id == owner)
    return place_of(found, member, ContentKind.DATA, package)


def checked(data, *inputs, name="given"):
    found = policy(*inputs)
    with open_content(data) as content:
        content.name = name
        check_input(content, first(found), found)
        return content


def wrong(data, *inputs, name="given"):
    with pytest.raises(WrongInputError) as refusal:
        checked(data, *inputs, name=name)
    return refusal.value


def test_packages_fill_the_places_of_their_principal_in_rising_order():
    found = policy({"type": "u8"}, {"type": "u16", "name": "weights"})
    assert first(found, 0).label == "input 0"
    assert first(found, 1).label == "input 1 (weights)"
    with pytest.raises(NotAuthorisedError, match="number the packages 0 to 1"):
        first(found, 2)


def test_where_places_are_alike_any_number_will_do():
    found = policy({"type": "u8"}, {"type": "u8"})
    assert first(found, 77).index is None
    assert first(found, 77).label == "any input of client 1"


def test_encoded_data_of_the_type_are_accepted():
    data = encode(parse_type(PEOPLE), [{"name": "clare", "age": 39}])
    assert checked(data, {"type": PEOPLE}).known_as == PEOPLE


def test_anything_is_accepted_where_the_policy_says_no_type():
    checked(b"\xff\x00 anything", {})


def test_data_that_do_not_decode_are_refused_with_byte_place_type_and_input():
    data = encode(parse_type("Vec<(u8, bool)>"), [(1, True), (2, False)])[:-1] + b"\x07"
    message = str(wrong(data, {"type": "Vec<(u8, bool)>", "name": "votes"}, name="votes.dat"))
    assert message.startswith(
        "votes.dat is not input 0 (votes), the encoding of Vec<(u8, bool)>: byte 4, [1][1]: "
        "a bool is 0 or 1, not 7"
    )


def test_a_repeat_in_a_set_is_refused():
    assert "repeats element 0" in str(wrong(b"\x02\xfe\xfe", {"type": "HashSet<u8>"}))


@pytest.mark.parametrize(
    ("data", "kind", "form", "header"),
    [
        (b"name,age\nclare,39\n", PEOPLE, "CSV", True),
        (b"age,name\r\n39,clare\r\n", PEOPLE, "CSV", True),
        (b"clare,39\n", PEOPLE, "CSV", False),
        (b"\xef\xbb\xbfa,1\n", PEOPLE, "CSV", False),
        (b"1.5,2\n", POINTS, "CSV", False),
        (b'[["a", 1]]', PEOPLE, "JSON", False),
        (b' {"a": 1} ', "{a: u8, b: u64}", "JSON", False),
        (b"12345\n", "u16", "JSON", False),
    ],
)
def test_text_in_place_of_encoded_data_is_recognised(data, kind, form, header):
    found = wrong(data, {"type": kind}, name="file")
    assert (found.form, found.header) == (form, header)
    assert (
        str(found) == f"file is {form}, and input 0 takes the encoding of {kind}: encode it first"
    )


def test_a_type_of_a_fixed_size_takes_any_bytes_of_that_size():
    checked(b"a,b\n1,2\n", {"type": "[u8; 8]"})


def test_text_that_a_window_cuts_within_a_character_is_text():
    data = b"x" + "é".encode() * 40_000
    assert wrong(data, {"type": PEOPLE}).form == "CSV"


@pytest.mark.parametrize("data", [b"\xff\xfe\x00a", b"a,b\x00\n", b"", b"caf\xe9,1\n"])
def test_what_is_no_text_is_not_taken_for_it(data):
    assert wrong(data, {"type": "(u64, u64)"}).form is None


@pytest.mark.parametrize("head", [b"PK\x03\x04", b"\xd0\xcf\x11\xe0"])
def test_a_spreadsheet_is_told_to_be_saved_as_csv(head):
    told = str(wrong(head + bytes(60), {"type": PEOPLE}, name="people.xlsx"))
    assert told.endswith(
        "it is a spreadsheet, or an archive: save it as CSV, and give that with --encode"
    )


def test_content_that_fits_another_place_is_named_so():
    people = current_document()["data_provision_order"][0]
    found = policy({"type": "Vec<bool>"}, {"type": "[u16; 2]", "name": "sizes"}, order=[people] * 2)
    with open_content(b"\x05\x07\x00\x09") as content, pytest.raises(WrongInputError) as refusal:
        check_input(content, first(found), found)
    assert str(refusal.value).endswith("it fits input 1 (sizes) of client 1; send the right file")


def test_what_is_larger_than_its_place_is_refused():
    with pytest.raises(NotAuthorisedError, match=r"has 3 bytes, the policy allows 2 for input 0"):
        checked(b"abc", {"bytes": 2})
    checked(b"ab", {"bytes": 2})


def test_a_file_that_becomes_shorter_while_it_is_checked_is_refused(tmp_path):
    file = tmp_path / "data"
    file.write_bytes(b"\x04" + b"\x01" * 4)
    found = policy({"type": "Vec<bool>"})
    with open_content(file) as content:
        file.write_bytes(b"\x04\x01")
        with pytest.raises(ContentError, match="changed while it was read"):
            check_input(content, first(found), found)


def _encode(data, kind, *, header=False, name="file"):
    found = policy({"type": kind, "name": "people"} if kind else {})
    with open_content(data) as content:
        content.name = name
        place = first(found)
        form = text_form(content, place.kind) if place.kind else "csv"
        made = encoded(content, place, form, reading=Reading(header=header))
        check_input(made, first(found), found)
        return b"".join(made.pieces())


def test_csv_is_encoded_as_the_policy_says():
    expected = encode(parse_type(PEOPLE), [{"name": "clare", "age": 39}])
    assert _encode(b"clare,39\n", PEOPLE) == expected
    assert _encode(b"age,name\n39,clare\n", PEOPLE, header=True) == expected


def test_json_is_encoded_as_the_policy_says():
    value = [{"name": "clare", "age": 39}]
    assert _encode(json.dumps(value).encode(), PEOPLE) == encode(parse_type(PEOPLE), value)
    assert _encode(b"[1, 2]", "(u8, u8)") == b"\x01\x02"
    assert _encode(b"7", "u16") == b"\x07\x00"


@pytest.mark.parametrize(
    ("data", "kind", "header", "message"),
    [
        (
            b"clare,39\nbob,4x\n",
            PEOPLE,
            False,
            "file:2:2 (age): '4x' is not a whole number (u8): read as CSV, for input",
        ),
        (b"clare,39\nbob\n", PEOPLE, False, "file:2: 1 columns"),
        (b"clare,300\n", PEOPLE, False, "file:1:2 (age): expected 0 to 255"),
        (b'[{"name": "a", "age": -1}]', PEOPLE, False, "file: [0].age: expected 0 to 255"),
        (b'[{"name": }]', PEOPLE, False, "file: the text is not JSON: Expecting value: line 1 col"),
        (b"name,age\na,1\n", PEOPLE, False, "its first row names the columns: add --header"),
        (b"name,sex\na,1\n", PEOPLE, True, "file: the header is 'name, sex'"),
    ],
)
def test_text_that_does_not_fit_is_refused_with_its_place(data, kind, header, message):
    with pytest.raises(WrongInputError) as refusal:
        _encode(data, kind, header=header)
    assert message in str(refusal.value)


def test_nothing_is_encoded_for_a_place_without_a_type():
    with pytest.raises(WrongInputError, match="says no type for input 0"):
        _encode(b"1,2\n", None)


def test_places_are_those_of_the_orders_in_order():
    found = policy({"name": "a"}, {"name": "b"})
    assert [place.label for place in places(found, ContentKind.DATA)] == [
        "input 0 (a)",
        "input 1 (b)",
    ]
