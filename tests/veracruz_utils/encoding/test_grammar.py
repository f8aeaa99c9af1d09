import pytest
from hypothesis import given
from hypothesis import strategies as st

from veracruz_utils.encoding.kinds import depth, least_size
from veracruz_utils.encoding.pinecone import TypeExpressionError, TypeKind, parse_type


@pytest.mark.parametrize(
    ("expression", "meaning"),
    [
        ("u8", "u8"),
        (" Vec < ( f64,f64 ) > ", "Vec<(f64, f64)>"),
        ("&str", "String"),
        ("(u8)", "u8"),
        ("(u8,)", "(u8,)"),
        ("(u8, u8,)", "(u8, u8)"),
        ("{a: u8,\n b: String,}", "{a: u8, b: String}"),
        ("{}", "{}"),
        ("[f32;4]", "[f32; 4]"),
        ("enum{A,B(u8),C(u8,u8),D{x:u8},}", "enum {A, B(u8), C(u8, u8), D{x: u8}}"),
        ("enum {A((u8,)), B(()), C((u8, u8))}", "enum {A((u8,)), B(()), C(u8, u8)}"),
        ("BTreeMap<(u8, u8), Option<BTreeSet<char>>>", None),
        ("Vec<" * 31 + "u8" + ">" * 31, None),
        ("(" * 31 + "u8" + ")" * 31, "u8"),
        ("(" + "u8, " * 100 + "u8)", None),
        ("Vec<u8,>", "Vec<u8>"),
        ("enum {A,}", "enum {A}"),
        ("enum {A(u8,)}", "enum {A(u8)}"),
        ("[u8; 1048576]", None),
        ("u8" + " " * 4094, "u8"),
    ],
)
def test_an_expression_is_read_as_rust_would(expression, meaning):
    assert str(parse_type(expression)) == (meaning or expression)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("", "ends too early"),
        ("Vec<u8", "ends too early"),
        ("Vec<u8>>", "column 8: '>' is not expected"),
        ("u8 u8", "column 4: 'u8' is not expected"),
        ("u8$", r"column 3: '\$' is not expected"),
        ("Strin", "unknown type 'Strin'; known types are bool, char"),
        ("u128", "unknown type 'u128'"),
        ("Vec", "Vec needs type parameters"),
        ("u8<u8>", "'u8' takes no type parameters"),
        ("Vec<u8, u8>", "Vec takes 1 types, got 2"),
        ("HashMap<u8>", "HashMap takes 2 types, got 1"),
        ("Option<Option<u8>>", "an Option of an Option"),
        ("{a: u8, a: u8}", "field 'a' is there twice"),
        ("enum {A, A}", "variant 'A' is there twice"),
        ("enum {}", "'}' is not expected"),
        ("Vec<()>", "takes no bytes"),
        ("HashSet<{}>", "takes no bytes"),
        ("HashMap<(), u8>", "takes no bytes"),
        ("[(); 5]", "takes no bytes"),
        ("Vec<[u8; 0]>", "takes no bytes"),
        ("[u8; 1048577]", "at most 1048576 elements"),
        ("[u8; 9999999999999999999999]", "at most 1048576 elements"),
        ("Vec<" * 32 + "u8" + ">" * 32, "nests deeper than 32"),
        ("(" * 32 + "u8" + ")" * 32, "nests deeper than 32"),
        ("enum {A(" * 16 + "u8" + ", u8)}" * 16, "nests deeper than 32"),
        ("Vec<>", "column 5: '>' is not expected"),
        ("enum {A()}", "column 9: '\\)' is not expected"),
        ("u8" + " " * 4095, "more than 4096 chars"),
        ("(" * 1000 + "u8" + ")" * 1000, "nests deeper than 32"),
        ("u8" + " " * 5000, "more than 4096 chars"),
    ],
)
def test_an_expression_that_describes_no_type_is_refused(expression, message):
    with pytest.raises(TypeExpressionError, match=message):
        parse_type(expression)


_PIECES = st.sampled_from([
    "u8", "String", "Vec", "<", ">", "(", ")", "[", "]", ";", "3", "{", "}", ":", ",", "enum", " ",
    "Option", "HashMap", "a", "$",
])  # fmt: skip


@given(st.text(max_size=30) | st.lists(_PIECES, max_size=20).map("".join))
def test_arbitrary_text_gives_a_type_or_our_error(text):
    try:
        kind = parse_type(text)
    except TypeExpressionError:
        return
    assert isinstance(kind, TypeKind)
    assert depth(kind) >= 1
    assert least_size(kind) >= 0
