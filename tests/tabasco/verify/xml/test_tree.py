import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.refused_evidence import refused
from tabasco.verify import EvidenceError, Fault, VerificationStage
from tabasco.verify.xml.tree import MAX_XML_BYTES, XmlName, parse

SPACE = "http://www.w3.org/XML/1998/namespace"


def test_elements_have_names_attributes_and_text():
    root = parse(b'<p:a xmlns:p="urn:p" xmlns="urn:d" k="v" p:k="w"><b>t<!-- --> u</b><b/></p:a>')
    assert root.name == XmlName("urn:p", "a")
    assert root.name.written == "p:a"
    assert root.attribute("k") == "v"  # the default namespace is none of attributes
    assert root.attribute("k", "urn:p") == "w"
    first, second = root.elements
    assert first.name == second.name == XmlName("urn:d", "b")
    assert first.text == "t u"
    assert second.text == ""


def test_what_is_not_there_is_refused_by_name():
    root = parse(b"<a><b/><b/></a>")
    with refused(Fault.MALFORMED, match="a has 2 elements b, not one"):
        root.only(XmlName("", "b"))
    with refused(Fault.MALFORMED, match="a has no attribute k"):
        root.attribute("k")
    with refused(Fault.MALFORMED, match="a is not just text"):
        _ = root.text


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (b"<!DOCTYPE a><a/>", "document type"),
        (b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>', "document type"),
        (b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', "document type"),
        (b'<!DOCTYPE a [<!ATTLIST a k CDATA "v">]><a/>', "document type"),
        (b"<a>&x;</a>", "not XML"),
        (b"<?php x?><a/>", "processing instruction"),
        (b"<a><?xml-stylesheet x?></a>", "processing instruction"),
        (b'<a xml:base="x"/>', "not declared"),
        (b'<a xml:space="preserve"/>', "not declared"),
        (f'<a xmlns:xml="{SPACE}"/>'.encode(), "declares"),
        (f'<a xmlns:p="{SPACE}"/>'.encode(), "declares"),
        (b'<a xmlns:p=""/>', "declares"),
        (b'<a xmlns:="urn:x"/>', "declares"),
        (b'<a xmlns="x"/>', "not absolute"),
        (b'<a xmlns:p="./x"/>', "not absolute"),
        (b'<a xmlns:p="urn:x y"/>', "not absolute"),
        (b'<a xmlns:p:q="urn:x"/>', "declares"),
        (b'<a xmlns:1="urn:x"/>', "declares"),
        (b'<p:1 xmlns:p="urn:x"/>', "not declared"),
        (b"<p:a/>", "not declared"),
        (b'<a p:k="v"/>', "not declared"),
        (b'<a:b:c xmlns:a="urn:x"/>', "not declared"),
        (b'<a xmlns:p="urn:x" xmlns:q="urn:x" p:k="1" q:k="2"/>', "twice"),
        (b'<a k="1" k="2"/>', "not XML"),
        (b"<a/><a/>", "not XML"),
        (b"<a>", "not XML"),
        (b"", "not XML"),
        (b"\xff\xfe<\0a\0/\0>\0", "not XML in UTF-8"),
        ("<a/>".encode("utf-16-le"), "not XML"),
        (b'<?xml version="1.0" encoding="latin-1"?><a>\xe9</a>', "not XML"),
    ],
)
def test_what_is_dangerous_or_ambiguous_is_refused(document, why):
    with refused(Fault.MALFORMED, VerificationStage.FORMAT, match=why):
        parse(document)


@pytest.mark.parametrize(
    "document",
    [
        b"<a>" * 17 + b"</a>" * 17,
        b"<a>" + b"<b/>" * 8192 + b"</a>",
        b"<a " + b" ".join(b'k%d="v"' % number for number in range(65)) + b"/>",
        b"<a>" + b"x" * MAX_XML_BYTES + b"</a>",
    ],
    ids=["deep", "many", "attributes", "long"],
)
def test_size_depth_and_numbers_are_bounded(document):
    with refused(Fault.MALFORMED, VerificationStage.FORMAT):
        parse(document)


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused_in_our_words(data):
    with pytest.raises(EvidenceError):
        parse(b"<a" + data)
