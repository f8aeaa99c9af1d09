"""The members of a certificate: what it says about authorities, uses and extensions, bit by bit."""

from types import SimpleNamespace

import pytest

from support.refused_evidence import refused
from support.throwaway_chain import Form, authority, issue
from tabasco.verify import Fault, VerificationStage
from tabasco.verify.x509 import der
from tabasco.verify.x509.outline import (
    BASIC_CONSTRAINTS,
    KEY_USAGE,
    Extension,
    extensions,
    outline,
    usage,
)
from tabasco.verify.x509.outline import authority as authority_of

ROOT = issue("root", None, authority(path_length=3))
ECDSA_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")
ECDSA_SHA384 = bytes.fromhex("300a06082a8648ce3d040303")


def saying(identifier, value):
    return SimpleNamespace(
        extensions={identifier: Extension(critical=True, value=bytes.fromhex(value))}
    )


def malformed():
    return refused(Fault.MALFORMED, VerificationStage.CHAIN)


def wrapped(*members):
    """Extensions in their wrapper, each in hexadecimal."""
    content = b"".join(map(bytes.fromhex, members))
    sequence = bytes([der.SEQUENCE, len(content)]) + content
    return der.Element(0xA3, sequence, b"")


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("3000", (False, None)),
        ("30030101ff", (True, None)),
        ("30060101ff020100", (True, 0)),
        ("30060101ff020103", (True, 3)),
        ("30070101ff020200ff", (True, 255)),
    ],
)
def test_basic_constraints_say_who_is_an_authority_and_how_far(value, found):
    assert authority_of(saying(BASIC_CONSTRAINTS, value)) == found


def test_who_says_nothing_is_no_authority():
    assert authority_of(SimpleNamespace(extensions={})) == (False, None)


@pytest.mark.parametrize(
    "value",
    [
        "3003010100", "3003010101", "3003020100", "30090101ff020100020100", "30060101ff0101ff",
        "30060101ff0201ff", "300000", "0101ff", "",
    ],
    ids=[
        "false-written-out", "true-otherwise", "length-of-no-authority", "more", "no-number",
        "negative", "trailing", "no-sequence", "nothing",
    ],
)  # fmt: skip
def test_basic_constraints_in_another_form_are_refused(value):
    with malformed():
        authority_of(saying(BASIC_CONSTRAINTS, value))


@pytest.mark.parametrize(
    ("value", "bits"),
    [
        ("03020780", {0}),
        ("03020204", {5}),
        ("03020106", {5, 6}),
        ("03020001", {7}),
        ("030200ff", {0, 1, 2, 3, 4, 5, 6, 7}),
        ("0303070080", {8}),
        ("03030704ff", {5, 8}),
        ("030207ff", {0}),
    ],
    ids=[
        "first",
        "certificates",
        "lists-too",
        "last",
        "eight",
        "ninth",
        "two-bytes",
        "unused-bits-set",
    ],
)
def test_a_key_is_for_the_uses_whose_bits_are_set(value, bits):
    found = saying(KEY_USAGE, value)
    assert {bit for bit in range(16) if usage(found, bit)} == bits


def test_who_says_nothing_of_uses_excludes_none():
    assert usage(SimpleNamespace(extensions={}), 0) is None
    assert usage(saying(KEY_USAGE, "03020780"), 1) is False


@pytest.mark.parametrize(
    "value", ["0300", "030100", "03020880", "030400000000", "0302078000", "04020780", ""]
)
def test_a_key_usage_in_another_form_is_refused(value):
    with malformed():
        usage(saying(KEY_USAGE, value), 0)


def test_extensions_are_critical_where_they_say_so():
    found = extensions(wrapped("300706022a0304010a", "300a06022a040101ff04010b"))
    assert found == {
        "1.2.3": Extension(critical=False, value=b"\x0a"),
        "1.2.4": Extension(critical=True, value=b"\x0b"),
    }


@pytest.mark.parametrize(
    "members",
    [
        ["300a06022a0301010004010b"],
        ["300a06022a0301010104010b"],
        ["300706022a0304010a", "300706022a0304010a"],
        ["300406022a03"],
        ["300706022a0302010a"],
        ["300d06022a030101ff04010b04010c"],
        ["040100"],
    ],
    ids=[
        "false-written-out", "true-otherwise", "twice", "no-value", "value-of-another-type", "more",
        "no-sequence",
    ],
)  # fmt: skip
def test_extensions_in_another_form_are_refused(members):
    with malformed():
        extensions(wrapped(*members))


def test_a_certificate_is_taken_apart():
    found = outline(ROOT.der)
    assert (found.serial, found.common_name) == (4711, "root")
    assert found.algorithm == ECDSA_SHA256
    assert found.issuer == found.subject
    assert found.signed in ROOT.der
    assert found.signed + found.algorithm in ROOT.der
    assert ROOT.der.endswith(found.signature)
    assert authority_of(found) == (True, 3)


def test_both_places_name_the_same_algorithm():
    assert ROOT.der.count(ECDSA_SHA256) == 2
    for count in (1, 2):
        changed = ROOT.der.replace(ECDSA_SHA256, ECDSA_SHA384, count)
        if count == 2:
            assert outline(changed).algorithm == ECDSA_SHA384
        else:
            with malformed():
                outline(changed)


def test_a_certificate_is_of_version_3():
    version = bytes.fromhex("a003020102")
    for other in ("a003020101", "a003020100"):
        with malformed():
            outline(ROOT.der.replace(version, bytes.fromhex(other), 1))


def test_only_one_common_name_is_a_name():
    leaf = issue("leaf", ROOT, Form())
    assert outline(leaf.der).common_name == "leaf"
    printable = leaf.der.replace(b"\x0c\x04leaf", b"\x13\x04leaf")
    assert outline(printable).common_name == "leaf"
    other = leaf.der.replace(b"\x0c\x04leaf", b"\x16\x04leaf")  # IA5String: not read as a name
    assert outline(other).common_name == ""
