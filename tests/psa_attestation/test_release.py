"""Releases of the runtime image: one form, and every other bundle is refused."""

from dataclasses import replace
from pathlib import Path

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from psa_attestation.cbor.values import WritingError
from psa_attestation.corim.bundle import verify_corim
from psa_attestation.corim.profiles import PSA_PROFILE
from psa_attestation.corim.release import ImageRelease, sign_release, verify_release
from psa_attestation.errors import AttestationError, ErrorCode, Stage
from support.psa_tokens import DEVICE, DEVICE_384, STRANGER, refused, sign1_by_hand
from veracruz_utils.key_files import p256_key_of_pem

NOW = 1_800_000_000
DAY = 86_400
RELEASE = ImageRelease(
    version="0.1.0",
    measurements={"x86_64": b"\x11" * 32, "aarch64": b"\x22" * 32},
    signer="Veracruz releases",
    issued_at=NOW,
    expires_at=NOW + 365 * DAY,
)
SIGNED = sign_release(RELEASE, DEVICE)
VALIDITY = {0: cbor2.CBORTag(1, NOW), 1: cbor2.CBORTag(1, NOW + 365 * DAY)}


def verify(data, **changes):
    return verify_release(data, **{"key": DEVICE.public_key(), "at": NOW + DAY} | changes)


def measured(architecture, digest, **changes):
    value = {0: {0: "0.1.0"}, 2: [[1, digest]], 11: architecture}
    value |= {int(name[1:]): each for name, each in changes.items()}
    return [{0: {1: "veracruz", 2: "psa"}}, [{0: "ARoT", 1: value}]]


TRIPLES = [measured("aarch64", b"\x22" * 32), measured("x86_64", b"\x11" * 32)]
COMID = {1: {0: "veracruz-runtime-image 0.1.0"}, 4: {0: TRIPLES}}


def by_hand(comid=COMID, *, meta=None, key=DEVICE, comids=None, **changes):
    """A bundle as ours, encoded by cbor2, with changes in it that are signed too."""
    modules = [cbor2.CBORTag(506, cbor2.dumps(each)) for each in comids or [comid]]
    members = {0: "veracruz-runtime-image 0.1.0", 1: modules, 4: VALIDITY}
    members |= {int(name[1:]): each for name, each in changes.items()}
    members = {label: each for label, each in members.items() if each is not None}
    meta = cbor2.dumps(meta or {0: {0: "Veracruz releases"}, 1: VALIDITY})
    protected = {1: -7, 3: "application/rim+cbor", 8: meta}
    payload = cbor2.dumps(cbor2.CBORTag(501, members))
    return sign1_by_hand(payload, key, protected=protected)


def test_a_release_is_read_as_it_was_signed():
    assert verify(SIGNED) == RELEASE


def test_a_release_is_the_corim_that_others_would_write():
    assert verify(by_hand()) == RELEASE


def test_the_release_in_the_vectors_is_read():
    folder = Path(__file__).parents[1] / "vectors" / "releases"
    key = p256_key_of_pem((folder / "release-key.pem").read_bytes())
    data = (folder / "veracruz-runtime-image-0.1.0.corim").read_bytes()
    assert len(data) < 1024
    assert verify(data, key=key).measurements == RELEASE.measurements


def test_who_reads_any_bundle_reads_a_release():
    found = verify_corim(SIGNED, key=DEVICE.public_key(), at=NOW)
    (module,) = found.comids
    assert found.signer == "Veracruz releases"
    assert [
        (triple.environment.model, each.key, each.version, each.name, each.digests)
        for triple in module.reference_values
        for each in triple.measurements
    ] == [
        ("psa", "ARoT", "0.1.0", "aarch64", (("sha-256", b"\x22" * 32),)),
        ("psa", "ARoT", "0.1.0", "x86_64", (("sha-256", b"\x11" * 32),)),
    ]


def test_the_signature_says_for_itself_who_made_it_and_until_when_it_counts():
    header = cbor2.loads(cbor2.loads(SIGNED).value[0])
    assert header[8] == cbor2.dumps({0: {0: "Veracruz releases"}, 1: VALIDITY})


def test_a_key_on_another_curve_signs_too():
    signed = sign_release(RELEASE, DEVICE_384)
    assert verify(signed, key=DEVICE_384.public_key()) == RELEASE
    with refused(ErrorCode.ALG_KEY_MISMATCH):
        verify(signed)


def test_a_release_by_another_key_is_refused():
    with refused(ErrorCode.SIGNATURE, Stage.SIGNATURE):
        verify(SIGNED, key=STRANGER.public_key())
    with refused(ErrorCode.SIGNATURE, Stage.SIGNATURE):
        verify(by_hand(key=STRANGER))


def test_a_release_that_nobody_signed_is_refused_as_such():
    payload = cbor2.loads(SIGNED).value[2]
    with refused(ErrorCode.MISSING_TAG_18) as _:
        verify(payload)
    with pytest.raises(AttestationError, match="nobody signed"):
        verify(payload)


@pytest.mark.parametrize(
    ("at", "code"),
    [(NOW - 1, ErrorCode.NOT_YET_VALID), (NOW + 365 * DAY + 1, ErrorCode.EXPIRED)],
)
def test_a_release_counts_from_its_beginning_to_its_end(at, code):
    with refused(code, Stage.FRESHNESS):
        verify(SIGNED, at=at)


@pytest.mark.parametrize("at", [NOW, NOW + 365 * DAY])
def test_both_ends_belong_to_it(at):
    assert verify(SIGNED, at=at) == RELEASE


@pytest.mark.parametrize("size", [16 * 1024, 16 * 1024 + 1])
def test_a_file_beyond_16_kib_is_not_looked_at(size):
    protected, _, payload, signature = cbor2.loads(SIGNED).value
    padding = bytes(size - len(SIGNED) - 4)  # a label and a length, in what anybody may add
    padded = cbor2.dumps(cbor2.CBORTag(18, [protected, {4: padding}, payload, signature]))
    assert len(padded) == size
    if size == 16 * 1024:
        assert verify(padded) == RELEASE
    else:
        with refused(ErrorCode.SIZE_LIMIT):
            verify(padded)


@pytest.mark.parametrize(
    ("forged", "words"),
    [
        (lambda: by_hand(_0="x" * 61), "about '" + "x" * 60 + "'"),
        (lambda: by_hand(_4=None, meta=no_meta()), "from when to when"),
        (lambda: by_hand(_4=None, meta=no_meta() | {1: {1: VALIDITY[1]}}), "from when to when"),
    ],
)
def test_what_is_missing_is_told(forged, words):
    with pytest.raises(AttestationError, match=words):
        verify(forged())


def no_meta():
    return {0: {0: "Veracruz releases"}}


@pytest.mark.parametrize(
    "forged",
    [
        # another subject
        lambda: by_hand(_0="veracruz-runtime-image"),
        lambda: by_hand(_0="another-image 0.1.0"),
        lambda: by_hand(_0="veracruz-runtime-image 0.2.0"),
        lambda: by_hand(_0="veracruz-runtime-image ../../0"),
        lambda: by_hand(_0="veracruz-runtime-image \x1b[2J"),
        lambda: by_hand(_0=b"\x01" * 16),
        lambda: by_hand(_3=cbor2.CBORTag(32, PSA_PROFILE)),
        lambda: by_hand(_3=cbor2.CBORTag(32, "https://example.com/profile")),
        # no end, another end, or no signer
        lambda: by_hand(_4=None),
        lambda: by_hand(_4=None, meta=no_meta()),
        lambda: by_hand(_4={1: VALIDITY[1]}),
        lambda: by_hand(meta={0: {0: "Veracruz releases"}, 1: {1: cbor2.CBORTag(1, NOW + DAY)}}),
        lambda: by_hand(meta={0: {0: ""}, 1: VALIDITY}),
        lambda: by_hand(meta={0: {0: "\x1b[2Jevil"}, 1: VALIDITY}),
        # more in it than is returned
        lambda: by_hand(comids=[COMID, COMID]),
        lambda: by_hand(COMID | {4: {0: TRIPLES, 3: [[{0: {1: "veracruz"}, 1: cbor2.CBORTag(
            550, b"\x01" + bytes(32))}, [cbor2.CBORTag(554, "no key")]]]}}),
        lambda: by_hand(COMID | {4: {0: TRIPLES, 10: [1]}}),
        lambda: by_hand(COMID | {4: {0: [*TRIPLES, TRIPLES[0]]}}),
        lambda: by_hand(COMID | {1: {0: "another tag"}}),
        lambda: by_hand(_1=[cbor2.CBORTag(505, b"x"), cbor2.CBORTag(506, cbor2.dumps(COMID))]),
        lambda: by_hand(_7="beside"),
        # values that are not of an image of this release
        lambda: by_hand(COMID | {4: {0: [measured("x86_64", b"\x11" * 32, _0={0: "0.2.0"})]}}),
        lambda: by_hand(COMID | {4: {0: [measured("x86_64", bytes(48), _2=[[7, bytes(48)]])]}}),
        lambda: by_hand(COMID | {4: {0: [measured("x86_64", b"", _2=[[1, bytes(32)]] * 2)]}}),
        lambda: by_hand(COMID | {4: {0: [measured("x86_64", bytes(32), _1=7)]}}),
        lambda: by_hand(COMID | {4: {0: [measured("x86_64", bytes(32), _3={})]}}),
        lambda: by_hand(COMID | {4: {0: [measured("x86 64", bytes(32))]}}),
        lambda: by_hand(COMID | {4: {0: [[{0: {1: "veracruz", 2: "sgx"}}, TRIPLES[0][1]]]}}),
        lambda: by_hand(COMID | {4: {0: [[{0: {2: "psa"}}, TRIPLES[0][1]]]}}),
        lambda: by_hand(COMID | {4: {0: [[TRIPLES[0][0], [TRIPLES[0][1][0] | {0: "BL"}]]]}}),
        lambda: by_hand(COMID | {4: {0: [[TRIPLES[0][0], TRIPLES[0][1] + TRIPLES[1][1]]]}}),
        lambda: by_hand(COMID | {4: {0: TRIPLES[::-1]}}),
        lambda: by_hand(COMID | {4: {10: [1]}}),
        # another message
        lambda: sign1_by_hand(cbor2.loads(SIGNED).value[2]),
        lambda: SIGNED + b"\x00",
        lambda: b"\xd8\x3d" + SIGNED,
        lambda: b"",
        lambda: b"-----BEGIN PUBLIC KEY-----",
    ],
)  # fmt: skip
def test_a_bundle_that_says_anything_else_is_refused(forged):
    with pytest.raises(AttestationError):
        verify(forged())


@given(st.integers(0, len(SIGNED) * 8 - 1))
def test_no_single_bit_of_a_release_can_be_changed(bit):
    forged = bytearray(SIGNED)
    forged[bit // 8] ^= 1 << bit % 8
    with pytest.raises(AttestationError):
        verify(bytes(forged))


@given(st.binary(max_size=200))
def test_arbitrary_bytes_give_our_error(data):
    with pytest.raises(AttestationError):
        verify(data)
    with pytest.raises(AttestationError):
        verify(sign1_by_hand(data))


@pytest.mark.parametrize(
    "changes",
    [
        {"version": ""},
        {"version": "v1"},
        {"version": "0.1.0 "},
        {"version": "0" * 41},
        {"measurements": {}},
        {"measurements": {"x86_64": bytes(31)}},
        {"measurements": {"x86_64": bytes(48)}},
        {"measurements": {"X86-64": bytes(32)}},
        {"signer": ""},
        {"signer": "two\nlines"},
        {"signer": "x" * 65},
        {"expires_at": NOW - 1},
        {"expires_at": 1 << 34},
        {"issued_at": -1},
    ],
)
def test_nothing_is_signed_that_would_be_refused(changes):
    with pytest.raises(WritingError):
        sign_release(replace(RELEASE, **changes), DEVICE)


releases = st.builds(
    ImageRelease,
    version=st.from_regex(r"[0-9][0-9A-Za-z.+-]{0,39}", fullmatch=True),
    measurements=st.dictionaries(
        st.from_regex(r"[a-z0-9_]{1,32}", fullmatch=True),
        st.binary(min_size=32, max_size=32),
        min_size=1,
        max_size=4,
    ),
    signer=st.from_regex(r"[!-~]([ -~]{0,62}[!-~])?", fullmatch=True),
    issued_at=st.integers(0, 2**33),
    expires_at=st.integers(2**33, 2**34 - 1),
)


@given(releases)
def test_whatever_is_signed_is_read_again(release):
    signed = sign_release(release, DEVICE)
    assert verify(signed, at=release.expires_at) == release
