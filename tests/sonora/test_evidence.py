"""Sources of evidence on faithful stand-ins for their interfaces; our own verifier reads them."""

import hashlib
import struct
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from psa_attestation.evidence.native import NativeEvidence, report_data_of
from sonora.errors import SonoraError
from sonora.evidence import (
    SOURCES,
    EvidenceUnavailableError,
    SourceSettings,
    source_named,
)
from sonora.evidence.base import KernelFiles
from sonora.evidence.gramine import GramineSource
from sonora.evidence.nsm import NsmSource, exchange_with
from sonora.evidence.software import SoftwareRoot
from sonora.evidence.tsm import TsmSource, certificates
from support import dcap_evidence as dcap
from support import nitro_documents as nitro
from support.platform_fakes import FakeGramine, FakeNsm, FakeTsm
from support.refused_evidence import refused
from tabasco.verify import Fault, VerificationStage
from tabasco.verify.amd.snp import Endorsements, verify_snp
from tabasco.verify.evidence import verify_evidence
from tabasco.verify.kinds import EvidenceKind
from tabasco.verify.means import Means
from tabasco.verify.x509.certificates import pem_blocks

BINDING = bytes(range(32))
BOUND = report_data_of(BINDING)
OWN = Path(__file__).parents[1] / "vectors" / "tabasco" / "snp"
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def evidence_of(source):
    data = source.evidence(BINDING)
    native = NativeEvidence.decode(data)
    assert native.kind == source.platform
    return native


def sgx_quote(report_data):
    return dcap.Recipe(body={320: report_data}).quote()


def td_quote(report_data):
    quote = dcap.Recipe(dcap.TDX, 4, body={520: report_data}).quote()
    return quote.ljust(8000, b"\0")  # the kernel's buffer


def snp_report(report_data):
    report = bytearray((OWN / "milan-v3.bin").read_bytes())
    report[80:144] = report_data
    return bytes(report)


def intel(native, recipe):
    means = Means(collateral=recipe.collateral(), roots=dcap.ROOTS)
    return verify_evidence(native.raw, EvidenceKind(native.kind), means=means, at=dcap.NOON)


# Gramine.


def test_an_enclave_quotes_the_binding():
    proven = intel(evidence_of(GramineSource(files=FakeGramine(sgx_quote))), dcap.Recipe())
    assert (proven.kind, proven.report_data) == ("sgx", BOUND)


@pytest.mark.parametrize("kind", ["none", "epid", ""])
def test_an_enclave_without_dcap_attestation_is_told_what_to_do(kind):
    with pytest.raises(EvidenceUnavailableError, match=r"set sgx\.remote_attestation"):
        GramineSource(files=FakeGramine(sgx_quote, attestation_type=kind))


# configfs-tsm.


def tsm(report, provider, **terms):
    fake = FakeTsm(report, provider, **terms)
    return fake, TsmSource(files=fake)


def test_a_trust_domain_quotes_the_binding_and_leaves_no_request():
    fake, source = tsm(td_quote, "tdx_guest")
    proven = intel(evidence_of(source), dcap.Recipe(dcap.TDX, 4))
    assert (proven.kind, proven.report_data) == ("tdx", BOUND)
    assert fake.requests == {}
    assert len(set(fake.left)) == 2  # one to see whose it is, one for the evidence


def table(**parts):
    guids = {
        "vcek": "63da758d-e664-4564-adc5-f4b93be8accd",
        "ask": "4ab7b379-bbac-4fe4-a02f-05aef327c782",
        "ark": "c0b406a4-a803-4952-9743-3fb6014cd0ae",
        "other": "00000000-0000-0000-0000-000000000001",
    }
    start, entries, contents = 24 * (len(parts) + 1), b"", b""
    for name, content in parts.items():
        at = start + len(contents)
        entries += UUID(guids[name]).bytes_le + struct.pack("<II", at, len(content))
        contents += content
    return entries + bytes(24) + contents


def milan():
    (key,) = pem_blocks((OWN / "milan-v3-vcek.pem").read_bytes())
    authorities = pem_blocks((OWN / "amd-milan-ask-ark-asvk.pem").read_bytes())
    return key, authorities


def test_a_machine_of_amd_brings_its_certificates_along():
    """The report is bound to what we asked, so its recorded signature does not hold any more."""
    key, (ask, ark, *_) = milan()
    fake, source = tsm(
        snp_report, "sev_guest", auxiliary=table(vcek=key, other=b"?", ask=ask, ark=ark)
    )
    native = evidence_of(source)
    assert native.raw[80:144] == BOUND
    assert native.auxiliary["certificate"] == key
    endorsements = Endorsements(native.auxiliary["certificate"], native.auxiliary["authorities"])
    recorded = (OWN / "milan-v3.bin").read_bytes()
    assert verify_snp(recorded, endorsements=endorsements, at=NOW).kind == "sev-snp"
    with refused(Fault.SIGNATURE, VerificationStage.SIGNATURE):
        verify_snp(native.raw, endorsements=endorsements, at=NOW)
    assert fake.requests == {}


def test_a_table_without_certificates_or_cut_is_what_it_is():
    assert certificates(b"") == certificates(bytes(48)) == {}
    whole = table(vcek=b"v" * 100)
    assert certificates(whole) == {"certificate": b"v" * 100}
    with pytest.raises(EvidenceUnavailableError, match="table of certificates is malformed"):
        certificates(whole[:-1])


def test_a_writer_who_interferes_is_noticed_and_the_request_is_removed():
    fake, source = tsm(td_quote, "tdx_guest", interfering=True)
    with pytest.raises(EvidenceUnavailableError, match="somebody else wrote"):
        evidence_of(source)
    assert fake.requests == {}


def test_a_provider_we_do_not_know_is_named():
    with pytest.raises(EvidenceUnavailableError, match="'power_guest', supported are sev_guest"):
        tsm(td_quote, "power_guest")


def test_arm_is_told_apart():
    _, source = tsm(lambda data: b"token" + data, "arm_cca_guest")
    assert evidence_of(source).raw == b"token" + BOUND


# Nitro.


def test_a_nitro_enclave_has_a_document_over_the_binding():
    fake = FakeNsm(lambda data: nitro.Recipe(changes={"user_data": data}).document())
    native = evidence_of(NsmSource(fake))
    means = Means(roots=[hashlib.sha256(nitro.ROOT).digest()])
    proven = verify_evidence(native.raw, EvidenceKind.NITRO, means=means, at=nitro.MADE)
    assert proven.report_data == BOUND
    assert fake.asked[-1]["Attestation"]["nonce"] is None  # the nonce is inside, never alone


@pytest.mark.parametrize(
    "answer", [b"", b"\xa0", b"\xff", b"\xa1\x65Error\x01", b"\x80", b"\xa1" * 5000]
)
def test_an_answer_that_is_none_is_an_error_of_ours(answer):
    with pytest.raises(EvidenceUnavailableError):
        NsmSource(lambda _: answer)


def test_the_modules_own_error_is_told():
    with pytest.raises(EvidenceUnavailableError, match="InvalidOperation"):
        NsmSource(FakeNsm(bytes, error="InvalidOperation"))


def test_a_device_that_is_none_says_so():
    with pytest.raises(EvidenceUnavailableError, match="/dev/absent-nsm: No such file"):
        exchange_with(Path("/dev/absent-nsm"))
    with pytest.raises(EvidenceUnavailableError, match="/dev/null: Inappropriate ioctl"):
        NsmSource(exchange_with(Path("/dev/null")))


# What they share.


@pytest.mark.parametrize("name", [name for name in SOURCES if name != "software"])
def test_a_source_that_is_not_there_is_an_error_and_nothing_stands_in(name, tmp_path):
    SoftwareRoot.create(tmp_path)  # which would be at hand
    told = rf"--evidence {name} needs .*(/dev/|/sys/).*there is no fallback"
    with pytest.raises(SonoraError, match=told):
        source_named(name, SourceSettings(tmp_path))


def test_the_software_root_is_named_what_it_is(tmp_path):
    SoftwareRoot.create(tmp_path)
    assert source_named("software", SourceSettings(tmp_path)).platform == "linux-software-root"


def test_files_of_the_kernel_are_read_and_written_whole(tmp_path):
    files, path = KernelFiles(), tmp_path / "file"
    path.write_bytes(b"before")
    files.write(path, b"x" * 64)
    assert files.read(path) == b"x" * 64
    folder = tmp_path / "request"
    files.make_folder(folder)
    files.remove_folder(folder)
    path.write_bytes(bytes(64 * 1024 + 1))
    with pytest.raises(EvidenceUnavailableError, match="more than 65536"):
        files.read(path)
    for call in (
        lambda: files.read(tmp_path / "absent"),
        lambda: files.write(tmp_path / "absent", b""),
        lambda: files.remove_folder(folder),
        lambda: files.make_folder(tmp_path / "a" / "b"),
    ):
        with pytest.raises(EvidenceUnavailableError, match="No such file"):
            call()
