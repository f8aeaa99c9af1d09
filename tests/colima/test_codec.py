"""Messages survive the wire, and nothing but a message does."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colima import Envelope, WireError, decode, encode, isolate, runtime, sinaloa, sonora, tabasco

ENVELOPES = [
    runtime.REQUEST,
    runtime.RESPONSE,
    sonora.TO_SONORA,
    sonora.FROM_SONORA,
    isolate.FROM_ZYGOTE,
    isolate.FROM_RUNTIME,
    isolate.TO_GUEST,
    isolate.FROM_GUEST,
]
PLAIN = [
    isolate.Spawn,
    sinaloa.AttestRequest,
    sinaloa.AttestResponse,
    sinaloa.DescribeIsolateRequest,
    sinaloa.DescribeIsolateResponse,
    sinaloa.BulkPortRequest,
    sinaloa.BulkPortResponse,
    sinaloa.OpenBulk,
    sinaloa.BulkAnswer,
    tabasco.BeginEnrolmentRequest,
    tabasco.BeginEnrolmentResponse,
    tabasco.CompleteEnrolmentRequest,
    tabasco.CompleteEnrolmentResponse,
    tabasco.DescribeServiceRequest,
    tabasco.DescribeServiceResponse,
    tabasco.VerifyTokenRequest,
    tabasco.VerifyTokenResponse,
]


def an_upload() -> runtime.Upload:
    return runtime.Upload(runtime.ContentKind.DATA, package_id=1, size=300)


@given(
    kind=st.sampled_from(runtime.ContentKind),
    package_id=st.integers(0, 2**32 - 1),
    size=st.integers(0, 2**64 - 1),
)
def test_a_request_survives_the_wire(kind, package_id, size):
    upload = runtime.Upload(kind, package_id, size)
    assert runtime.REQUEST.decode(runtime.REQUEST.encode(upload)) == upload


@given(
    places=st.lists(
        st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.text(max_size=40)),
        max_size=runtime.MAX_FRAMES,
    )
)
def test_nested_and_repeated_messages_survive_the_wire(places):
    trapped = isolate.Trapped("code", tuple(runtime.TrapFrame(*place) for place in places))
    assert isolate.FROM_GUEST.decode(isolate.FROM_GUEST.encode(trapped)) == trapped


@pytest.mark.parametrize("envelope", ENVELOPES, ids=lambda envelope: envelope.protobuf.__name__)
@given(data=st.binary(max_size=200))
def test_arbitrary_bytes_are_a_message_or_our_error(envelope: Envelope, data):
    try:
        message = envelope.decode(data)
    except WireError:
        return
    assert envelope.encode(message) == data


@pytest.mark.parametrize("cls", PLAIN)
@given(data=st.binary(max_size=200))
def test_arbitrary_bytes_are_a_plain_message_or_our_error(cls, data):
    try:
        message = decode(cls, data)
    except WireError:
        return
    assert encode(message) == data


@pytest.mark.parametrize("envelope", ENVELOPES, ids=lambda envelope: envelope.protobuf.__name__)
def test_every_member_of_an_envelope_is_one_of_its_messages(envelope: Envelope):
    fields = {field.name for field in envelope.protobuf.DESCRIPTOR.fields}
    assert fields == set(envelope.members)


def test_an_empty_envelope_is_refused():
    with pytest.raises(WireError, match="empty"):
        runtime.REQUEST.decode(b"")


def test_a_message_given_twice_is_refused():
    encoded = runtime.REQUEST.encode(an_upload())
    with pytest.raises(WireError, match="repeated"):
        runtime.REQUEST.decode(encoded * 2)


def test_an_unknown_field_is_refused_at_any_depth():
    known = runtime.REQUEST.encode(an_upload())
    with pytest.raises(WireError, match="unknown"):
        runtime.REQUEST.decode(known + b"\xf8\x07\x01")
    inner = known[2:] + b"\xf8\x07\x01"
    with pytest.raises(WireError, match="unknown"):
        runtime.REQUEST.decode(known[:1] + bytes([len(inner)]) + inner)


def test_an_over_long_integer_is_refused():
    assert runtime.REQUEST.encode(runtime.Upload(runtime.ContentKind.DATA, 0, 1)).endswith(
        b"\x18\x01"
    )
    with pytest.raises(WireError):
        runtime.REQUEST.decode(b"\n\x05\x08\x02\x18\x81\x00")


def test_an_enum_value_without_a_name_is_refused():
    with pytest.raises(WireError, match="77 is not a ContentKind"):
        runtime.REQUEST.decode(b"\n\x02\x08\x4d")


def test_a_challenge_has_32_bytes():
    with pytest.raises(WireError, match="31 bytes, not 32"):
        sinaloa.AttestRequest(bytes(31))


def test_another_wires_message_does_not_travel_in_an_envelope():
    with pytest.raises(TypeError):
        runtime.REQUEST.encode(runtime.Done())  # type: ignore[arg-type]


def test_messages_do_not_change():
    with pytest.raises(dataclasses.FrozenInstanceError):
        an_upload().size = 1  # type: ignore[misc]
