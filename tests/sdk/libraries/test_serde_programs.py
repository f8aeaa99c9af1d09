"""Pinecone by serde, in the example that uses it, against Python's encoder and decoder."""

from hypothesis import given, settings
from hypothesis import strategies as st

from sdk.examples import EXAMPLES, Case
from sdk.examples.named_types import SCHEMAS
from veracruz_utils.encoding.errors import PineconeError
from veracruz_utils.encoding.pinecone import decode, encode

BAD_INPUT = -4
SURVEY = EXAMPLES["survey-summary"]
INTERVIEWS = SCHEMAS["interviews"].kind

BYTE = st.integers(0, 255)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
ANSWERS = (
    st.just("Refused")
    | st.builds(lambda grade: {"Grade": grade}, BYTE)
    | st.builds(lambda words: {"Words": words}, TEXT)
    | st.builds(lambda grade, words: {"Both": {"grade": grade, "words": words}}, BYTE, TEXT)
)
ONES = st.lists(
    st.fixed_dictionaries(
        {"region": st.sampled_from("ab") | TEXT, "age": st.none() | BYTE, "answer": ANSWERS}
    ),
    max_size=30,
)


@settings(max_examples=60)
@given(st.lists(ONES, min_size=1, max_size=3))
def test_a_summary_is_what_python_makes_of_the_same_interviews(run_program, inputs):
    case = Case(tuple(encode(INTERVIEWS, interviews) for interviews in inputs))
    outcome = run_program("survey-summary", *case.inputs)
    assert outcome.return_code == 0
    assert SURVEY.fault(case, [outcome.output]) is None


@st.composite
def damaged(draw):
    encoded = bytearray(encode(INTERVIEWS, draw(ONES)))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(encoded) - 1))
        encoded[at] = draw(st.sampled_from([0, 1, 3, 4, 0x7F, 0x80, 0xFF, encoded[at] ^ 1]))
    cut = draw(st.integers(0, 3))
    return bytes(encoded[: len(encoded) - cut if cut else None])


@given(st.binary(max_size=40) | damaged())
def test_serde_refuses_exactly_what_the_python_decoder_refuses(run_program, data):
    try:
        decode(INTERVIEWS, data)
    except PineconeError:
        expected = BAD_INPUT
    else:
        expected = 0
    assert run_program("survey-summary", data).return_code == expected
