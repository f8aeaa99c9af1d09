"""Collateral from services like the vendors': what is asked for, what is made of the answers."""

import json
from collections import deque

import pytest
from click.testing import CliRunner

from support.dcap_evidence import ROOTS as INTEL_ROOTS
from support.dcap_evidence import TDX, text_of
from support.dcap_evidence import Recipe as Quote
from support.evidence_seeds import JUNE, OWN, VECTORS
from support.refused_evidence import refused
from support.snp_evidence import CHIP, MILAN, TURIN
from support.snp_evidence import ROOTS as AMD_ROOTS
from support.snp_evidence import Recipe as Report
from support.throwaway_chain import NOON, revocation_list
from support.vendor_services import Vendor, serving
from tabasco.cli import main
from tabasco.collateral import Store, StoredCollateral, Trust
from tabasco.collateral.fetch import FetchError, Services, Wanted, wanted_for
from tabasco.collateral.items import ItemKind
from tabasco.errors import TabascoError
from tabasco.verify import Fault
from tabasco.verify.amd.report import Product
from tabasco.verify.intel.collateral import MAX_COLLATERAL_BYTES
from tabasco.verify.kinds import EvidenceKind

SGX_QUOTE = OWN / "sgx/sgx-v3-a067.bin"
SGX_TEXT = (OWN / "sgx/intel-2025-06_sgx_00a06711.json").read_bytes()


@pytest.fixture
def vendor():
    with serving(Vendor()) as found:
        yield found


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "kept", trust=Trust(INTEL_ROOTS, AMD_ROOTS))


def services(vendor, **changes):
    settings = {"patience_s": 5.0, "pause_s": 0.001} | changes
    return Services(vendor.url, f"{vendor.url}/root.der", vendor.url, **settings)


def fetched(vendor, store, data, kind, product=None):
    contents = []
    for wanted in wanted_for(data, kind, product=product):
        contents += services(vendor).fetch(wanted)
    return store.add(contents, at=NOON)


@pytest.mark.parametrize("quote", [Quote(), Quote(tee=TDX, version=4)])
def test_intels_collateral_is_fetched_for_a_quote_and_verifies_it(vendor, store, quote):
    tee = "tdx" if quote.tee == TDX else "sgx"
    vendor.serve_intel(text_of(quote.collateral()), tee, "00606a000000")
    (entry,) = fetched(vendor, store, quote.quote(), EvidenceKind(tee))
    assert entry.subject == f"{tee}/00606a000000/platform"
    found = StoredCollateral(store).for_quote(quote.quote(), NOON)
    assert quote.verify(collateral=found).tcb_status == "UpToDate"
    assert len(vendor.asked) == 4


def serve_amd(vendor, line, report, query):
    name = line.product.name.capitalize()
    vendor.pages |= {
        f"/vcek/v1/{name}/cert_chain": ({}, line.ask.pem + line.ark.pem),
        f"/vlek/v1/{name}/cert_chain": ({}, line.asvk.pem + line.ark.pem),
        f"/vcek/v1/{name}/crl": ({}, revocation_list(line.ark)),
        f"/vcek/v1/{name}/{query}": ({}, report.certificate()),
    }


@pytest.mark.parametrize(
    ("report", "query"),
    [
        (Report(), f"{CHIP.hex()}?blSPL=4&teeSPL=0&snpSPL=24&ucodeSPL=219"),
        (Report(line=TURIN, version=5),
         f"{CHIP[:8].hex()}?blSPL=4&teeSPL=0&snpSPL=24&ucodeSPL=219&fmcSPL=1"),
    ],
)  # fmt: skip
def test_amds_certificates_are_fetched_for_a_report_and_verify_it(vendor, store, report, query):
    serve_amd(vendor, report.line, report, query)
    fetched(vendor, store, report.report(), EvidenceKind.SEV_SNP)
    found = StoredCollateral(store).for_report(report.report(), NOON, certificate=None)
    assert report.verify(endorsements=found).warnings == ()


def test_a_providers_key_is_not_to_be_had_from_amd(vendor, store):
    report = Report(kind="VLEK")
    serve_amd(vendor, MILAN, report, "none")
    fetched(vendor, store, report.report(), EvidenceKind.SEV_SNP)
    with pytest.raises(FetchError, match="given out by the provider"):
        services(vendor).fetch(Wanted(ItemKind.AMD_KEY, "vlek/milan/4.0.24.219.0"))
    brought = StoredCollateral(store).for_report(
        report.report(), NOON, certificate=report.certificate()
    )
    assert report.verify(endorsements=brought)


def test_an_old_report_does_not_say_its_product():
    data = Report(version=2).report()
    with pytest.raises(TabascoError, match="--product"):
        wanted_for(data, EvidenceKind.SEV_SNP, product=None)
    assert wanted_for(data, EvidenceKind.SEV_SNP, product=Product.MILAN)[0].subject == "milan"


def test_evidence_on_azure_needs_what_its_hardware_needs():
    data = (VECTORS / "tpm/azure-snp-vtpm.json").read_bytes()
    wanted = wanted_for(data, EvidenceKind.TPM_AZURE, product=Product.MILAN)
    assert [each.kind for each in wanted] == ["amd-authorities", "amd-crl"]
    data = (VECTORS / "tpm/azure-tdx-vtpm.json").read_bytes()
    (intel,) = wanted_for(data, EvidenceKind.TPM_AZURE, product=None)
    assert intel.subject == "tdx/00806f050000/platform"
    with pytest.raises(TabascoError, match="without collateral"):
        wanted_for(b"", EvidenceKind.NITRO, product=None)


def test_busy_services_are_asked_again(vendor):
    vendor.pages["/vcek/v1/Milan/crl"] = {}, b"list"
    vendor.faults = deque([429, 503, 500])
    wanted = Wanted(ItemKind.AMD_CRL, "milan")
    ((_, data),) = services(vendor).fetch(wanted)
    assert (data, len(vendor.asked)) == (b"list", 4)
    vendor.faults = deque([503] * 100)
    with pytest.raises(FetchError, match="503"):
        services(vendor).fetch(wanted)


@pytest.mark.parametrize("status", [302, 400, 403, 404])
def test_what_a_service_refuses_is_not_asked_for_again(vendor, status):
    vendor.faults = deque([status])
    with pytest.raises(FetchError, match=str(status)):
        services(vendor).fetch(Wanted(ItemKind.AMD_CRL, "milan"))
    assert len(vendor.asked) == 1


def test_answers_are_bounded_and_only_https_leaves_this_machine(vendor):
    vendor.pages["/vcek/v1/Milan/crl"] = {}, bytes(MAX_COLLATERAL_BYTES + 1)
    wanted = Wanted(ItemKind.AMD_CRL, "milan")
    with pytest.raises(FetchError, match="more than"):
        services(vendor).fetch(wanted)
    for url in ("http://192.0.2.1", "ftp://192.0.2.1", "file:///etc"):
        with pytest.raises(FetchError, match="only https"):
            Services(kds=url).fetch(wanted)


def test_a_service_that_is_not_there_is_named():
    with serving(Vendor()) as gone:
        pass
    with pytest.raises(FetchError, match=r"127\.0\.0\.1.* cannot be reached"):
        services(gone, patience_s=0.05).fetch(Wanted(ItemKind.AMD_CRL, "milan"))


@pytest.mark.parametrize(
    ("path", "body", "header"),
    [
        ("/sgx/certification/v4/qe/identity", b"{}", "SGX-Enclave-Identity-Issuer-Chain"),
        ("/sgx/certification/v4/qe/identity", b'{"tcbInfo":{},"signature":"00"}', "X"),
        ("/sgx/certification/v4/tcb?fmspc=00606a000000",
         b'{"tcbInfo":{},"signature":"' + b"00" * 64 + b'"}', "X"),
    ],
)  # fmt: skip
def test_an_answer_that_is_not_a_signed_statement_is_refused(vendor, path, body, header):
    vendor.serve_intel(text_of(Quote().collateral()), "sgx", "00606a000000")
    vendor.pages[path] = {header: "x"}, body
    with pytest.raises(FetchError):
        services(vendor).fetch(Wanted(ItemKind.INTEL, "sgx/00606a000000/platform"))


def test_what_a_service_forged_is_not_kept(vendor, store):
    quote = Quote(collateral_changes={"tcb_info_signature": "11" * 64})
    vendor.serve_intel(text_of(quote.collateral()), "sgx", "00606a000000")
    with refused(Fault.COLLATERAL_SIGNATURE):
        fetched(vendor, store, quote.quote(), EvidenceKind.SGX)
    assert store.entries() == []


def test_the_command_fetches_for_evidence_and_refreshes_what_is_kept(vendor, tmp_path):
    vendor.serve_intel(SGX_TEXT, "sgx", "00a067110000", "processor")

    def run(*arguments, status=0):
        options = ["--pcs", vendor.url, "--root-crl", f"{vendor.url}/root.der",
                   "--store", str(tmp_path / "kept")]  # fmt: skip
        done = CliRunner().invoke(main, ["collateral", "fetch", *map(str, arguments), *options])
        assert done.exit_code == status, done.output + done.stderr
        return done

    assert "give EVIDENCE" in run(status=2).stderr
    (item,) = json.loads(run(SGX_QUOTE, "--json").stdout)["items"]
    assert item["subject"] == "sgx/00a067110000/processor"
    run("--refresh")
    assert len(vendor.asked) == 8
    kept = ["--store", str(tmp_path / "kept"), "--at", JUNE.isoformat()]
    named = ["--accept-status", "ConfigurationAndSWHardeningNeeded"]
    verified = CliRunner().invoke(main, ["verify", str(SGX_QUOTE), *kept, *named])
    assert verified.exit_code == 0, verified.output
    vendor.pages.clear()
    assert "404" in run(SGX_QUOTE, status=4).stderr
