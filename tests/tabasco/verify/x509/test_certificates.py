from base64 import b64decode, b64encode
from datetime import timedelta

import pytest
from cryptography import x509 as library
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa, x25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from support.refused_evidence import refused
from support.throwaway_chain import NOON, YEAR, Form, Member, authority, issue
from tabasco.verify import EvidenceError, Fault, VerificationStage
from tabasco.verify.x509 import certificates

ROOT = issue("root", None, authority())
MIDDLE = issue("middle", ROOT, authority(path_length=0))
LEAF = issue("leaf", MIDDLE, Form())
SECOND = timedelta(seconds=1)


def check(*chain, at=NOON, root=ROOT):
    return certificates.check_chain(
        [member.certificate for member in chain],
        roots={certificates.digest(root.certificate)},
        at=at,
    )


def test_a_good_chain_says_when_its_first_certificate_ends():
    brief = issue("brief", ROOT, authority(end=NOON + SECOND))
    assert check(LEAF, MIDDLE, ROOT) == NOON + YEAR
    assert check(issue("leaf", brief, Form()), brief, ROOT) == NOON + SECOND


def test_only_a_pinned_root_ends_a_chain():
    other = issue("root", None, authority(key=ROOT.key, serial=2))
    for chain, ends_in in (([LEAF, MIDDLE, other], "root"), ([LEAF, MIDDLE], "middle")):
        digest = certificates.digest(chain[-1].certificate).hex()
        ended = f"ends in '{ends_in}', sha256 {digest}, not in"
        with refused(Fault.UNKNOWN_ROOT, VerificationStage.CHAIN, match=ended):
            check(*chain)


def test_a_chain_has_a_leaf_and_a_root_and_a_bound():
    with refused(Fault.CHAIN, VerificationStage.CHAIN):
        check(ROOT)
    with refused(Fault.CHAIN, VerificationStage.CHAIN):
        check(LEAF, *[MIDDLE] * 8, ROOT)


def test_a_chain_as_long_as_is_read_holds():
    chain = [ROOT]
    for number in range(6):
        chain.insert(0, issue(f"middle {number}", chain[0], authority()))
    longest = [issue("leaf", chain[0], Form()), *chain]
    assert len(longest) == 8
    assert check(*longest) == NOON + YEAR
    chain.insert(0, issue("one more", chain[0], authority()))
    with refused(Fault.CHAIN, VerificationStage.CHAIN, match="a chain of 9 certificates"):
        check(issue("leaf", chain[0], Form()), *chain)


def test_the_root_counts_the_authorities_below_it():
    root = issue("root", None, authority(path_length=1))
    middle = issue("middle", root, authority())
    assert check(issue("leaf", middle, Form()), middle, root, root=root)
    lower = issue("lower", middle, authority())
    with refused(Fault.CHAIN, VerificationStage.CHAIN, match="allows 1 authorities below it"):
        check(issue("leaf", lower, Form()), lower, middle, root, root=root)


def test_a_leaf_that_does_not_say_its_uses_may_sign():
    assert check(issue("leaf", ROOT, Form(usage=False)), ROOT)


def test_what_is_remembered_of_a_certificate_does_not_outlive_its_time():
    for _ in range(2):
        assert check(LEAF, MIDDLE, ROOT)
        with refused(Fault.EXPIRED, VerificationStage.CHAIN):
            check(LEAF, MIDDLE, ROOT, at=NOON + YEAR + SECOND)


def test_every_link_is_issued_by_the_next():
    impostor = issue("middle", ROOT, authority())
    with refused(Fault.CHAIN, VerificationStage.CHAIN):
        check(LEAF, impostor, ROOT)
    with refused(Fault.CHAIN, VerificationStage.CHAIN):
        check(LEAF, ROOT)
    stranger = issue("middle", issue("root", None, authority()), authority())
    leaf = issue("leaf", stranger, Form())
    with refused(Fault.CHAIN, VerificationStage.CHAIN, match="'middle' is not issued by 'root'"):
        check(leaf, stranger, ROOT)


def test_the_time_of_validity_ends_with_its_last_second():
    assert check(LEAF, MIDDLE, ROOT, at=NOON + YEAR)
    assert check(LEAF, MIDDLE, ROOT, at=NOON - YEAR)
    with refused(Fault.EXPIRED, VerificationStage.CHAIN):
        check(LEAF, MIDDLE, ROOT, at=NOON + YEAR + SECOND)
    with refused(Fault.NOT_YET_VALID, VerificationStage.CHAIN):
        check(LEAF, MIDDLE, ROOT, at=NOON - YEAR - SECOND)


@pytest.mark.parametrize("short", range(3), ids=["leaf", "middle", "root"])
def test_every_certificate_of_a_chain_is_in_its_time(short):
    ends = [NOON + SECOND if each == short else NOON + YEAR for each in range(3)]
    root = issue("root", None, authority(end=ends[2]))
    middle = issue("middle", root, authority(end=ends[1]))
    leaf = issue("leaf", middle, Form(end=ends[0]))
    assert check(leaf, middle, root, root=root, at=NOON + SECOND) == NOON + SECOND
    name = ("leaf", "middle", "root")[short]
    with refused(Fault.EXPIRED, VerificationStage.CHAIN, match=f"'{name}' was valid until"):
        check(leaf, middle, root, root=root, at=NOON + 2 * SECOND)


@pytest.mark.parametrize(
    "form",
    [
        Form(),
        Form(authority=None, signs_certificates=True),
        authority(usage=False),
        authority(signs_certificates=False),
        authority(signs_certificates=False, signs_lists=True),
    ],
    ids=["end-entity", "no-constraints", "no-usage", "other-usage", "lists-alone"],
)
def test_who_issues_has_to_be_an_authority(form):
    middle = issue("middle", ROOT, form)
    with refused(Fault.CHAIN, VerificationStage.CHAIN):
        check(issue("leaf", middle, Form()), middle, ROOT)


def test_a_chain_is_no_longer_than_its_authorities_allow():
    lower = issue("lower", MIDDLE, authority())
    with refused(Fault.CHAIN, VerificationStage.CHAIN):
        check(issue("leaf", lower, Form()), lower, MIDDLE, ROOT)


def test_an_authority_is_no_leaf():
    with refused(Fault.CHAIN, VerificationStage.CHAIN):
        check(MIDDLE, ROOT)


def test_an_authority_is_no_leaf_whatever_its_key_may_sign():
    for path_length in (None, 0, 1):
        form = Form(authority=True, path_length=path_length)
        with refused(Fault.CHAIN, VerificationStage.CHAIN, match="is an authority, not a signer"):
            check(issue("leaf", ROOT, form), ROOT)


def test_both_ends_belong_to_the_time_of_validity():
    for at in (NOON, NOON + SECOND):
        certificates.check_validity(NOON, NOON + SECOND, at=at, what="it")
    with refused(Fault.NOT_YET_VALID, VerificationStage.COLLATERAL, match="it is valid from"):
        certificates.check_validity(
            NOON, NOON, at=NOON - SECOND, what="it", stage=VerificationStage.COLLATERAL
        )
    with refused(Fault.EXPIRED, VerificationStage.CHAIN, match="it was valid until"):
        certificates.check_validity(NOON, NOON, at=NOON + SECOND, what="it")


def test_a_leaf_for_other_uses_signs_no_evidence():
    with refused(Fault.CHAIN, VerificationStage.CHAIN):
        check(issue("leaf", ROOT, Form(signs_certificates=True)), ROOT)


def test_a_critical_extension_that_is_not_read_is_refused():
    strange = library.UnrecognizedExtension(library.ObjectIdentifier("1.2.3"), b"\x05\x00")
    with refused(Fault.CHAIN, VerificationStage.CHAIN):
        check(issue("leaf", ROOT, Form(extensions=[(strange, True)])), ROOT)
    assert check(issue("leaf", ROOT, Form(extensions=[(strange, False)])), ROOT)


def test_a_certificate_is_read_back_from_der_and_pem():
    assert certificates.load(LEAF.der) == LEAF.certificate
    assert certificates.load_pem(LEAF.pem + b"\n" + ROOT.pem) == (
        LEAF.certificate,
        ROOT.certificate,
    )


def test_bytes_after_a_certificate_are_refused():
    with refused(Fault.MALFORMED, VerificationStage.CHAIN):
        certificates.load(LEAF.der + b"\0")


def test_serial_number_zero_is_refused_before_the_library_warns_of_it():
    first = issue("leaf", ROOT, Form(serial=1)).der
    numbered = bytes.fromhex("a003020102 020101")
    assert certificates.load(first)
    assert first.count(numbered) == 1
    with refused(Fault.MALFORMED, VerificationStage.CHAIN, match="serial number 0"):
        certificates.load(first.replace(numbered, numbered[:-1] + b"\0"))


@pytest.mark.parametrize(
    ("member", "written", "otherwise"),
    [(MIDDLE, "30060101ff020100", "3006010101020100"), (LEAF, "03020780", "03020880")],
    ids=["basic-constraints", "key-usage"],
)
def test_what_is_not_in_der_is_refused_when_the_certificate_is_read(member, written, otherwise):
    before, after = bytes.fromhex(written), bytes.fromhex(otherwise)
    assert member.der.count(before) == 1
    with refused(Fault.MALFORMED, VerificationStage.CHAIN):
        certificates.load(member.der.replace(before, after))


def test_a_key_that_cannot_be_read_is_refused_with_its_certificate():
    point = LEAF.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    off_curve = point[:-1] + bytes([point[-1] ^ 1])
    assert LEAF.der.count(point) == 1
    with refused(Fault.MALFORMED, VerificationStage.CHAIN, match="cannot be read"):
        certificates.load(LEAF.der.replace(point, off_curve))


@pytest.mark.parametrize(
    ("known", "unknown"),
    [("2a8648ce3d030107", "2a8648ce3d03017f"), ("2a8648ce3d0201", "2a8648ce3d027f")],
    ids=["curve", "kind"],
)
def test_a_key_that_the_library_does_not_know_is_refused_with_its_certificate(known, unknown):
    before, after = bytes.fromhex(known), bytes.fromhex(unknown)
    assert LEAF.der.count(before) == 1
    with refused(Fault.MALFORMED, VerificationStage.CHAIN, match="cannot be read"):
        certificates.load(LEAF.der.replace(before, after))


def test_a_key_that_signs_nothing_has_issued_nothing():
    middle = issue("middle", ROOT, authority(key=x25519.X25519PrivateKey.generate()))
    leaf = issue("leaf", Member(middle.certificate, ROOT.key), Form())
    with refused(Fault.CHAIN, VerificationStage.CHAIN, match="'leaf' is not issued by 'middle'"):
        check(leaf, middle, ROOT)


def test_a_certificate_has_at_most_the_bytes_that_are_read():
    # Signed by RSA, whose signatures are all of one length.
    root = issue("root", None, authority(key=rsa.generate_private_key(65537, 2048)))

    def padded(count):
        filler = library.UnrecognizedExtension(library.ObjectIdentifier("1.2.3"), bytes(count))
        return issue("leaf", root, Form(extensions=[(filler, False)], key=LEAF.key)).der

    def sized(size):
        made = padded(15_000 + size - len(padded(15_000)))
        assert len(made) == size
        return made

    limit = 16 * 1024
    assert certificates.load(sized(limit))
    with refused(Fault.MALFORMED, VerificationStage.CHAIN, match=f"at most {limit} are read"):
        certificates.load(sized(limit + 1))


def test_a_pem_text_has_at_most_the_bytes_that_are_read():
    limit = 2 * 8 * 16 * 1024
    text = LEAF.pem.ljust(limit, b"\n")
    assert certificates.load_pem(text) == (LEAF.certificate,)
    with refused(Fault.MALFORMED, VerificationStage.CHAIN, match="too large"):
        certificates.load_pem(text + b"\n")


def test_a_pem_text_has_at_most_the_certificates_of_a_chain():
    assert len(certificates.load_pem(LEAF.pem * 8)) == 8


def test_a_certificate_signed_by_an_algorithm_off_our_list_is_refused():
    leaf = issue("leaf", ROOT, Form(hash=hashes.SHA224()))
    with refused(Fault.UNSUPPORTED_ALGORITHM, VerificationStage.CHAIN):
        certificates.load(leaf.der)


def test_a_key_on_another_curve_is_not_taken_for_p256():
    assert certificates.p256_key(LEAF.certificate)
    with refused(Fault.UNSUPPORTED_ALGORITHM, VerificationStage.CHAIN):
        certificates.p256_key(issue("leaf", ROOT, Form(curve=ec.SECP384R1)).certificate)


@pytest.mark.parametrize(
    "text",
    [b"", b"junk" + LEAF.pem, LEAF.pem + b"junk", LEAF.pem[:-30], LEAF.pem * 9, b" " * (1 << 20)],
    ids=["empty", "before", "after", "cut", "too-many", "too-large"],
)
def test_what_is_no_pem_of_certificates_alone_is_refused(text):
    with refused(Fault.MALFORMED, VerificationStage.CHAIN):
        certificates.load_pem(text)


def test_people_may_say_what_certificates_are_where_it_is_no_evidence():
    text = b"# the chip's\r\nsubject=leaf\n" + LEAF.pem + b"\n  its issuer:\n" + ROOT.pem + b"end\n"
    assert certificates.load_pem(text, explained=True) == (LEAF.certificate, ROOT.certificate)
    assert certificates.is_pem(text)
    assert not certificates.is_pem(LEAF.der)
    with refused(Fault.MALFORMED, VerificationStage.CHAIN):
        certificates.load_pem(text)


@pytest.mark.parametrize(
    "text",
    [
        b"junk " + LEAF.pem,
        LEAF.pem.rstrip() + b" junk",
        LEAF.pem.replace(b"\n", b"\n# inside\n", 1),
        b"-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n" + LEAF.pem,
        LEAF.pem.replace(b"-----END", b"# -----END"),
        b"nothing else\n",
    ],
    ids=["before-dashes", "behind-dashes", "inside", "a-key", "no-end", "nothing"],
)
def test_an_explanation_hides_nothing(text):
    with refused(Fault.MALFORMED, VerificationStage.CHAIN):
        certificates.load_pem(text, explained=True)


def test_base64_is_read_strictly():
    first, _, rest = LEAF.pem.partition(b"\n")
    for text in (first + b"\n!" + rest, first + b"\n" + rest.replace(b"=", b"")[:-30]):
        with refused(Fault.MALFORMED, VerificationStage.CHAIN):
            certificates.load_pem(text)


def test_what_is_no_base64_is_refused():
    for digits in (b"A", b"AAAAA", b"AA"):
        with refused(Fault.MALFORMED, VerificationStage.CHAIN, match="is not base64"):
            certificates.load_pem(certificates._PEM_BEGIN + digits + certificates._PEM_END)


def test_base64_is_written_in_one_way():
    data = LEAF.der + b"\0"
    while len(data) % 3 == 0:  # so that the last digit has bits left over
        data += b"\0"
    digits = b64encode(data)
    bare = digits.rstrip(b"=")
    other = bare[:-1] + bytes([bare[-1] + 1]) + digits[len(bare) :]
    assert b64decode(other) == b64decode(digits)
    for text, complaint in ((digits, "follow"), (other, "not canonical")):
        pem = certificates._PEM_BEGIN + b"\n" + text + b"\n" + certificates._PEM_END + b"\n"
        with refused(Fault.MALFORMED, VerificationStage.CHAIN, match=complaint):
            certificates.load_pem(pem)


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_a_certificate_or_an_error(data):
    with pytest.raises(EvidenceError):
        certificates.load(data)
    with pytest.raises(EvidenceError):
        certificates.load_pem(certificates._PEM_BEGIN + data)


@given(st.integers(0, len(LEAF.der) * 8 - 1))
def test_a_certificate_with_one_bit_flipped_does_not_hold(bit):
    changed = bytearray(LEAF.der)
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(EvidenceError):
        certificates.check_chain(
            [certificates.load(bytes(changed)), MIDDLE.certificate, ROOT.certificate],
            roots={certificates.digest(ROOT.certificate)},
            at=NOON,
        )
