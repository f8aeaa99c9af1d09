"""NVIDIA's reference values: the signature's one form, the chain, the content."""

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from support.nvidia_devices import (
    C14N11,
    DRIVER,
    ENVELOPED,
    MEASURED,
    RIM_ROOT,
    RIM_SIGNER,
    ROOT,
    ROOTS,
    SWID,
    Rim,
)
from support.refused_evidence import refused
from support.throwaway_chain import NOON, YEAR, Form, authority, issue
from tabasco.verify import Fault, VerificationStage
from tabasco.verify.nvidia.rim import prove_manifest, verify_manifest

EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
FORMAT, CHAIN, SIGNATURE = (
    VerificationStage.FORMAT,
    VerificationStage.CHAIN,
    VerificationStage.SIGNATURE,
)


def verify(document=None, at=NOON, **changes):
    data = replace(Rim(), **changes).sign() if document is None else document
    return verify_manifest(data, at=at, roots=ROOTS)


def test_what_is_active_is_a_reference_value():
    found = verify(values={7: (MEASURED[7],), 9: (b"\x01" * 48, b"\x02" * 48)}, inactive=(1,))
    assert (found.product, found.version, found.edition) == ("GH100", DRIVER, "GPU")
    assert found.values == {7: (MEASURED[7],), 9: (b"\x01" * 48, b"\x02" * 48)}
    assert found.valid_until == RIM_SIGNER.certificate.not_valid_after_utc


def test_a_manifest_by_itself_proves_who_signed_it():
    proven = prove_manifest(Rim().sign(), at=NOON, roots=ROOTS)
    assert proven.kind == "nvidia-rim"
    assert proven.measurements == {}
    assert proven.facts["version"] == DRIVER
    assert proven.facts["values"] == 1
    assert any(each.subject == "certificate" for each in proven.named)


def test_nothing_of_what_is_signed_can_be_changed():
    good = Rim().sign()
    changes = (
        (DRIVER.encode(), b"580.95.06"),
        (MEASURED[7].hex().encode(), b"ab" * 48),
        (b'active="True"', b'active="False"'),
        (b"NVIDIA &amp; Co", b"NVIDIA &amp; No"),
        (b'tagVersion="0"', b'tagVersion="1"'),
        (b"<ns0:Payload>\n", b"<ns0:Payload>\n\n"),
        (b'xmlns:ns2="http://www.w3.org/2001/04/xmlenc#sha384"',
         b'xmlns:ns3="urn:u" xmlns:ns2="http://www.w3.org/2001/04/xmlenc#sha384"'),
    )  # fmt: skip
    for old, new in changes:
        assert good.count(old) >= 1
        with refused(Fault.SIGNATURE, SIGNATURE, match="the document's digest is"):
            verify(good.replace(old, new, 1))


def test_how_it_is_written_may_be_changed_where_it_means_the_same():
    good = Rim().sign()
    same = b'<?xml version="1.0"?>\n<!-- ours -->' + good.replace(b'index="7"', b"index='7'", 1)
    assert verify(same) == verify(good)


def test_the_signature_is_over_what_it_names_by_digest():
    good = Rim().sign()
    other = Rim(version="1.2").sign()
    start, end = b"<ds:SignatureValue>", b"</ds:SignatureValue>"
    foreign = other.partition(start)[2].partition(end)[0]
    own = good.partition(start)[2].partition(end)[0]
    with refused(Fault.SIGNATURE, SIGNATURE, match="not of this key"):
        verify(good.replace(own, foreign))
    with refused(Fault.SIGNATURE, SIGNATURE, match="96 bytes"):
        verify(good.replace(own, b"AAAA"))


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"uri": "#payload"}, Fault.MALFORMED),
        ({"transforms": (ENVELOPED,)}, Fault.MALFORMED),
        ({"transforms": (C14N11,)}, Fault.MALFORMED),
        ({"transforms": (C14N11, ENVELOPED)}, Fault.MALFORMED),
        ({"transforms": (ENVELOPED, C14N11, C14N11)}, Fault.MALFORMED),
        ({"transforms": (ENVELOPED, "http://www.w3.org/TR/1999/REC-xpath-19991116")},
         Fault.UNSUPPORTED_ALGORITHM),
        ({"transforms": (ENVELOPED, EXCLUSIVE)}, Fault.UNSUPPORTED_ALGORITHM),
        ({"canonical": EXCLUSIVE}, Fault.UNSUPPORTED_ALGORITHM),
        ({"method": "http://www.w3.org/2000/09/xmldsig#hmac-sha1"}, Fault.UNSUPPORTED_ALGORITHM),
        ({"method": "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"},
         Fault.UNSUPPORTED_ALGORITHM),
        ({"digest": "http://www.w3.org/2000/09/xmldsig#sha1"}, Fault.UNSUPPORTED_ALGORITHM),
    ],
)  # fmt: skip
def test_a_signature_of_another_form_is_refused(changes, fault):
    with refused(fault, FORMAT):
        verify(**changes)


def test_the_older_name_of_the_canonical_form_is_read():
    older = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
    assert verify(canonical=older, transforms=(ENVELOPED, older)).version == DRIVER


def test_a_document_has_one_signature_and_where_it_belongs():
    good = Rim().sign()
    start = good.index(b"<ds:Signature ")
    end = good.index(b"</ds:Signature>") + len(b"</ds:Signature>")
    signature = good[start:end]
    with refused(Fault.UNSIGNED, FORMAT):
        verify(good.replace(signature, b""))
    with refused(Fault.MALFORMED, FORMAT, match="2 signatures"):
        verify(good.replace(signature, signature * 2))
    with refused(Fault.UNSIGNED, FORMAT):  # inside something that is not looked at
        verify(good.replace(signature, b"<ns0:Link>" + signature + b"</ns0:Link>"))


def test_a_signed_document_inside_another_counts_for_nothing():
    inner = Rim().sign().decode()
    outer = Rim(version="9.9").document.replace("SIGNATURE", inner).encode()
    with refused(Fault.UNSIGNED, FORMAT):
        verify(outer)


class TestTheChain:
    def test_another_root_is_refused(self):
        mine = issue("NVIDIA CoRIM signing Root CA", None, authority(curve=ec.SECP384R1))
        signer = issue("HCC RIM L4 Signer", mine, Form(curve=ec.SECP384R1))
        with refused(Fault.UNKNOWN_ROOT, CHAIN):
            verify(signer=signer, above=(mine,))

    def test_certificates_that_do_not_link_are_refused(self):
        with refused(Fault.CHAIN, CHAIN):
            verify(above=(ROOT,))

    def test_without_certificates_nobody_signed(self):
        data = Rim().sign()
        start, end = data.index(b"<ds:X509Certificate>"), data.index(b"</ds:X509Data>")
        with refused(Fault.CHAIN, CHAIN, match="0 certificates"):
            verify(data[:start] + data[end:])

    def test_the_signer_has_to_be_valid(self):
        with refused(Fault.EXPIRED, CHAIN, match="HCC RIM L4 Signer"):
            verify(at=NOON + 2 * YEAR)
        with refused(Fault.NOT_YET_VALID, CHAIN):
            verify(at=NOON - 2 * YEAR)

    def test_a_signer_on_another_curve_is_refused(self):
        other = issue("HCC RIM L4 Signer", RIM_ROOT, Form())
        with refused(Fault.UNSUPPORTED_ALGORITHM, CHAIN, match="P-384"):
            verify(signer=other)


DIGEST = "ab" * 48
ONE = f'type="Measurement" alternatives="1" ns2:Hash0="{DIGEST}" size="48"'


@pytest.mark.parametrize(
    "resource",
    [
        f'<ns0:Resource index="7" active="True" {ONE}/>',  # again
        f'<ns0:Resource index="256" active="True" {ONE}/>',
        f'<ns0:Resource index="-1" active="True" {ONE}/>',
        f'<ns0:Resource index="٣" active="True" {ONE}/>',
        f'<ns0:Resource index="8" active="yes" {ONE}/>',
        f'<ns0:Resource active="True" {ONE}/>',
        f'<ns0:File index="8" active="True" {ONE}/>',
        f'<ns0:Resource index="8" active="True" {ONE.replace("48", "32")}/>',
        f'<ns0:Resource index="8" active="True" {ONE.replace("ns2:Hash0", "Hash0")}/>',
        f'<ns0:Resource index="8" active="True" {ONE.replace(DIGEST, DIGEST[2:])}/>',
        f'<ns0:Resource index="8" active="True" {ONE.replace(DIGEST, " " * 96)}/>',
        f'<ns0:Resource index="8" active="True" {ONE.replace("1", "2", 1)}/>',
        f'<ns0:Resource index="8" active="True" {ONE.replace("1", "0", 1)}/>',
        f'<ns0:Resource index="8" active="True" {ONE.replace("1", "999", 1)}/>',
    ],
)
def test_values_that_cannot_be_told_apart_are_refused_though_signed(resource):
    with refused(Fault.MALFORMED, FORMAT):
        verify(resources=resource)


def test_a_manifest_without_values_is_refused():
    with refused(Fault.MALFORMED, FORMAT, match="no active measurement"):
        verify(values={})


@pytest.mark.parametrize("document", [b"<a/>", f'<Software xmlns="{SWID}"/>'.encode(), b"{}"])
def test_another_document_is_none(document):
    with refused(Fault.MALFORMED, FORMAT):
        verify(document)
