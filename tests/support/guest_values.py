"""Values of the type that the guests of the libraries' tests read and write again."""

from hypothesis import strategies as st

from veracruz_utils.encoding.pinecone import encode, parse_type

VALUE = parse_type(
    "(bool, u8, u16, u32, u64, f32, f64, String, Option<String>, Vec<u16>,"
    " enum {A, B(u8), C(String)})"
)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
VALUES = st.tuples(
    st.booleans(),
    st.integers(0, 2**8 - 1),
    st.integers(0, 2**16 - 1),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**64 - 1),
    st.floats(width=32, allow_nan=False),
    st.floats(allow_nan=False),
    TEXT,
    st.none() | TEXT,
    st.lists(st.integers(0, 2**16 - 1), max_size=200),
    st.just("A")
    | st.builds(lambda n: {"B": n}, st.integers(0, 255))
    | TEXT.map(lambda t: {"C": t}),
)


@st.composite
def damaged(draw):
    encoded = bytearray(encode(VALUE, draw(VALUES)))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(encoded) - 1))
        encoded[at] = draw(st.sampled_from([0, 1, 2, 0x7F, 0x80, 0xFF, encoded[at] ^ 1]))
    cut = draw(st.integers(0, 3))
    return bytes(encoded[: len(encoded) - cut if cut else None])
