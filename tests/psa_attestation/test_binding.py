import hashlib

from hypothesis import assume, given
from hypothesis import strategies as st

from psa_attestation.binding import binding_digest

transcripts = st.tuples(st.text(max_size=8), st.lists(st.binary(max_size=8), max_size=4))


def test_a_binding_is_the_digest_of_its_length_prefixed_parts():
    transcript = b"\0\0\0\0\0\0\0\x05label" + b"\0\0\0\0\0\0\0\x02ab" + b"\0\0\0\0\0\0\0\x00"
    assert binding_digest("label", b"ab", b"") == hashlib.sha256(transcript).digest()


def test_parts_cannot_be_shifted_into_each_other():
    digests = {
        binding_digest("l", b"ab"),
        binding_digest("l", b"a", b"b"),
        binding_digest("la", b"b"),
        binding_digest("l", b"ab", b""),
        binding_digest("l", b"", b"ab"),
        binding_digest("lab"),
        binding_digest("l", (1).to_bytes(8) + b"a"),
    }
    assert len(digests) == 7


@given(transcripts, transcripts)
def test_two_transcripts_have_two_digests(one, other):
    assume(one != other)
    assert binding_digest(one[0], *one[1]) != binding_digest(other[0], *other[1])
