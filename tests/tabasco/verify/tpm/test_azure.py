import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support import cloud_evidence as clouds
from support.jwts import part
from support.refused_evidence import refused
from tabasco.verify import EvidenceError, Fault, Proven, VerificationStage
from tabasco.verify.detection import kind_of
from tabasco.verify.evidence import verify_evidence
from tabasco.verify.kinds import EvidenceKind
from tabasco.verify.means import Means
from tabasco.verify.tpm.azure import (
    MAX_REPORT_BYTES,
    certify,
    configuration,
    parse_hcl,
    runtime_claims,
    user_data,
)
from tabasco.verify.tpm.azure_json import is_azure_evidence, parse_azure
from tabasco.verify.tpm.quote import verify_quote

OWN = Path(__file__).parents[4] / "tests" / "vectors" / "tpm"
END = datetime(2030, 1, 1, tzinfo=UTC)
KINDS = ["azure-snp-vtpm.json", "azure-tdx-vtpm.json"]
# Where report data stands in an SEV-SNP report and in a TD quote.
REPORT_DATA = {"sev-snp": 80, "tdx": 48 + 520}


def evidence(name):
    return parse_azure((OWN / name).read_bytes())


def hardware_of(parts, **changes):
    """What a verifier of the hardware's evidence would say about its report data."""
    source = parts.report.hardware if parts.report.kind == "sev-snp" else parts.hardware
    start = REPORT_DATA[parts.report.kind]
    proven = Proven(parts.report.kind, {}, source[start : start + 64], debug=False, valid_until=END)
    return replace(proven, **changes)


def verify(parts, nonce=b"challenge", **changes):
    key = certify(parts.report, hardware_of(parts, **changes))
    quote = parts.quote
    return verify_quote(quote.message, quote.signature, quote.registers, key=key, nonce=nonce)


def hcl(runtime=b"{}", **changes):
    numbers = {"size": 1236 + len(runtime), "request": 2, "kind": 2, "hash": 1} | changes
    numbers.setdefault("data_size", 20 + len(runtime))
    numbers.setdefault("json_size", len(runtime))

    def pack(*values):
        return b"".join(value.to_bytes(4, "little") for value in values)

    header = b"HCLA" + pack(2, numbers["size"], numbers["request"]) + bytes(16)
    request = pack(numbers["data_size"], 1, numbers["kind"], numbers["hash"], numbers["json_size"])
    return header + bytes(1184) + request + runtime


def keys(*entries):
    return json.dumps({"keys": entries}).encode()


KEY = {"kid": "HCLAkPub", "kty": "RSA", "e": "AQAB", "n": part(b"\xc1" * 256)}


def certify_by_hand(runtime):
    report = parse_hcl(hcl(runtime))
    digest = hashlib.sha256(runtime).digest().ljust(64, b"\0")
    return certify(report, Proven(EvidenceKind.SEV_SNP, {}, digest, debug=False, valid_until=END))


@pytest.mark.parametrize("name", KINDS)
class TestPublishedEvidence:
    def test_the_chain_holds_from_the_hardware_to_the_registers(self, name):
        parts = evidence(name)
        proven = verify(parts)
        assert proven.report_data == b"challenge"
        assert len(proven.measurements) == 24
        assert proven.facts["certified-by"] == f"the hardware's report ({parts.report.kind})"
        assert runtime_claims(parts.report)["user-data"] == "00" * 64

    def test_another_nonce_is_refused(self, name):
        with refused(Fault.NONCE, VerificationStage.BINDING):
            verify(evidence(name), nonce=b"Challenge")

    def test_hardware_that_vouches_for_something_else_is_refused(self, name):
        parts = evidence(name)
        bound = hardware_of(parts).report_data
        for report_data in (bytes(64), bound[:-1] + b"\x01", bound[:32], b""):
            with refused(Fault.KEY_BINDING, VerificationStage.BINDING):
                verify(parts, report_data=report_data)

    def test_hardware_of_another_kind_is_refused(self, name):
        with refused(Fault.KEY_BINDING, VerificationStage.BINDING):
            verify(evidence(name), kind="sgx")

    def test_no_sampled_bit_of_the_runtime_data_can_be_changed(self, name):
        parts = evidence(name)
        for bit in range(0, len(parts.report.runtime_data) * 8, 61):
            forged = bytearray(parts.report.runtime_data)
            forged[bit // 8] ^= 1 << bit % 8
            with refused(Fault.KEY_BINDING):
                verify(replace(parts, report=replace(parts.report, runtime_data=bytes(forged))))

    def test_no_sampled_bit_of_the_quote_can_be_changed(self, name):
        parts = evidence(name)
        for bit in range(0, len(parts.quote.message) * 8, 13):
            forged = bytearray(parts.quote.message)
            forged[bit // 8] ^= 1 << bit % 8
            with pytest.raises(EvidenceError):
                verify(replace(parts, quote=replace(parts.quote, message=bytes(forged))))

    @pytest.mark.parametrize(
        ("member", "value"),
        [
            ("version", 3),
            ("version", True),
            ("version", "1"),
            ("version", None),
            ("hcl_report", None),
            ("hcl_report", "AA="),
            ("hcl_report", "!!"),
            ("hcl_report", part(b"HCLA")),
            ("tpm_quote", None),
            ("tpm_quote", []),
            ("tpm_quote", {}),
        ],
    )
    def test_a_document_of_another_form_is_refused(self, name, member, value):
        document = json.loads((OWN / name).read_text()) | {member: value}
        with pytest.raises(EvidenceError) as caught:
            parse_azure(json.dumps(document).encode())
        assert caught.value.stage is VerificationStage.FORMAT

    @pytest.mark.parametrize(
        ("member", "value"),
        [
            ("pcrs", []),
            ("pcrs", ["00" * 32] * 23),
            ("pcrs", [1] * 24),
            ("pcrs", ["0g" * 32] * 24),
            ("pcrs", {}),
            ("message", "00 00"),
            ("message", "0"),
            ("message", "\u0661\u0661"),
            ("signature", None),
        ],
    )
    def test_a_quote_of_another_form_is_refused(self, name, member, value):
        document = json.loads((OWN / name).read_text())
        document["tpm_quote"][member] = value
        with refused(Fault.MALFORMED, VerificationStage.FORMAT):
            parse_azure(json.dumps(document).encode())

    def test_a_repeated_member_is_refused(self, name):
        text = (OWN / name).read_text().rstrip().removesuffix("}")
        with refused(Fault.MALFORMED):
            parse_azure(f'{text}, "version": 1}}'.encode())

    def test_the_hardwares_part_has_to_be_there(self, name):
        document = json.loads((OWN / name).read_text())
        document.pop("vcek" if "snp" in name else "td_quote")
        with refused(Fault.MALFORMED):
            parse_azure(json.dumps(document).encode())


class TestReport:
    def test_a_report_is_read(self):
        report = parse_hcl(hcl(b'{"a": 1}') + bytes(100))
        assert (report.kind, report.hash_name) == ("sev-snp", "sha256")
        assert runtime_claims(report) == {"a": 1}

    def test_a_report_is_padded_to_as_much_as_is_read_and_no_more(self):
        report = hcl()
        assert parse_hcl(report.ljust(MAX_REPORT_BYTES, b"\0")).runtime_data == b"{}"
        with refused(Fault.MALFORMED, VerificationStage.FORMAT):
            parse_hcl(report.ljust(MAX_REPORT_BYTES + 1, b"\0"))

    def test_what_the_machine_had_put_in_is_64_bytes_or_nothing(self):
        said = parse_hcl(hcl(json.dumps({"user-data": "0A" * 64}).encode()))
        assert user_data(said) == b"\n" * 64
        assert user_data(parse_hcl(hcl())) == b""

    @pytest.mark.parametrize(
        "value", ["", "0a" * 63, "0a" * 65, "0a " * 64, "0x" * 64, "z" * 128, 1, True, ["0a" * 64]]
    )
    def test_anything_else_is_refused(self, value):
        report = parse_hcl(hcl(json.dumps({"user-data": value}).encode()))
        with refused(Fault.MALFORMED, VerificationStage.FORMAT):
            user_data(report)

    def test_texts_and_truths_of_its_configuration_are_facts(self):
        said = {
            "secure-boot": True, "console-enabled": False, "vmUniqueId": "x" * 256,
            "long": "x" * 257, "number": 1, "list": ["x"], "nothing": None,
        }  # fmt: skip
        report = parse_hcl(hcl(json.dumps({"vm-configuration": said}).encode()))
        assert configuration(report) == {
            "vm.secure-boot": "true", "vm.console-enabled": "false", "vm.vmUniqueId": "x" * 256,
        }  # fmt: skip
        for other in ([], "x", None):
            given = json.dumps({"vm-configuration": other}).encode()
            assert configuration(parse_hcl(hcl(given))) == {}

    @pytest.mark.parametrize(
        ("data", "fault"),
        [
            (b"", Fault.MALFORMED),
            (b"HCLA", Fault.MALFORMED),
            (hcl(b""), Fault.MALFORMED),
            (b"X" + hcl()[1:], Fault.MALFORMED),
            (hcl() + b"\x01", Fault.MALFORMED),
            (hcl() + bytes(20_000), Fault.MALFORMED),
            (hcl()[:-1], Fault.MALFORMED),
            (hcl(request=1), Fault.MALFORMED),
            (hcl(size=1237), Fault.MALFORMED),
            (hcl(data_size=21), Fault.MALFORMED),
            (hcl(json_size=2**32 - 1), Fault.MALFORMED),
            (hcl(json_size=1, size=1237, data_size=21), Fault.MALFORMED),
            (hcl(kind=3), Fault.UNSUPPORTED_VERSION),
            (hcl(hash=0), Fault.UNSUPPORTED_VERSION),
        ],
    )
    def test_another_report_is_refused(self, data, fault):
        with refused(fault, VerificationStage.FORMAT):
            parse_hcl(data)

    def test_the_key_is_the_one_of_its_name(self):
        other = KEY | {"kid": "HCLEkPub", "n": part(b"\xc3" * 256)}
        key = certify_by_hand(keys(other, KEY))
        assert key.key.public_numbers().n == int.from_bytes(b"\xc1" * 256, "big")
        assert key.valid_until == END

    @pytest.mark.parametrize(
        "runtime",
        [
            b"[]",
            b"{}",
            b"{",
            b'{"keys": {}}',
            b'{"keys": [1]}',
            keys(),
            keys(KEY, KEY),
            keys(KEY | {"kid": "another"}),
            keys(KEY | {"kty": "EC"}),
            keys(KEY | {"e": "Aw"}),
            keys(KEY | {"n": 1}),
            keys(KEY | {"n": ""}),
            keys(KEY | {"n": "=="}),
            keys(KEY | {"n": "A" * 2000}),
            b'{"keys": [], "keys": []}',
        ],
    )
    def test_runtime_data_without_one_such_key_is_refused(self, runtime):
        with refused(Fault.MALFORMED, VerificationStage.FORMAT):
            certify_by_hand(runtime)

    def test_a_short_key_is_refused(self):
        with refused(Fault.UNSUPPORTED_ALGORITHM):
            certify_by_hand(keys(KEY | {"n": part(b"\xc1" * 128)}))

    @given(st.binary(max_size=120))
    def test_arbitrary_bytes_give_our_error(self, data):
        for action in (
            lambda: parse_azure(data),
            lambda: certify_by_hand(data or b"x"),
            lambda: parse_hcl(data),
        ):
            with pytest.raises(EvidenceError):
                action()


AMD = (OWN.parent / "tabasco" / "snp" / "amd-milan-ask-ark-asvk.pem").read_bytes()
MARCH = datetime(2025, 3, 1, tzinfo=UTC)
SNP_EVIDENCE = (OWN / "azure-snp-vtpm.json").read_bytes()


def proven(data, **means):
    given = Means(**{"authorities": AMD} | means)
    return verify_evidence(data, EvidenceKind.TPM_AZURE, means=given, at=MARCH)


class TestPadding:
    """Base64url has none, or just what belongs to it: one text for one content."""

    DATA = (OWN / "azure-snp-vtpm.json").read_bytes()

    def read(self, change):
        document = json.loads(self.DATA)
        bare = document["vcek"].rstrip("=")
        return parse_azure(json.dumps(document | {"vcek": change(bare)}).encode())

    def test_with_it_and_without_it_it_is_the_same(self):
        whole = self.read(lambda bare: bare + "=" * (-len(bare) % 4))
        assert self.read(lambda bare: bare) == whole == parse_azure(self.DATA)

    @pytest.mark.parametrize("wrong", [1, 2, 3, 4])
    def test_any_other_is_refused(self, wrong):
        with refused(Fault.MALFORMED, VerificationStage.FORMAT):
            self.read(lambda bare: bare + "=" * (-len(bare) % 4 + wrong))


@pytest.mark.parametrize(
    ("data", "meant"),
    [(b'{"hcl_report"', True), (b'{"vcek": 1, "quote"', True), (b'{"vcek"', False),
     (b'{"quote"', False)],
)  # fmt: skip
def test_it_is_told_from_other_json_by_its_members(data, meant):
    assert is_azure_evidence(data) == meant


class TestForms:
    @pytest.mark.parametrize("name", KINDS)
    def test_the_form_without_a_version_has_the_same_parts(self, name):
        data = (OWN / name).read_bytes()
        old = clouds.azure_old(data)
        assert kind_of(old) is EvidenceKind.TPM_AZURE
        parts, before = parse_azure(data), parse_azure(old)
        assert before.report == parts.report
        assert before.quote == parts.quote

    def test_it_proves_the_same(self):
        assert proven(clouds.azure_old(SNP_EVIDENCE)) == proven(SNP_EVIDENCE)

    @pytest.mark.parametrize(
        ("member", "value"),
        [
            ("report", [256]),
            ("report", [True] * 2600),
            ("report", "AA"),
            ("report", None),
            ("vcek", [1]),
            ("quote", {}),
            ("quote", {"message": [], "signature": [], "pcrs": [[0] * 31] * 24}),
        ],
    )
    def test_another_form_is_refused(self, member, value):
        document = json.loads(clouds.azure_old(SNP_EVIDENCE)) | {member: value}
        with pytest.raises(EvidenceError) as caught:
            proven(json.dumps(document).encode())
        assert caught.value.fault in {Fault.MALFORMED, Fault.SIGNATURE}

    def test_in_version_2_the_reports_user_data_are_what_the_quote_is_over(self):
        document = json.loads(SNP_EVIDENCE) | {"version": 2}
        # The report was made with user data of zeros, the quote is over `challenge`.
        with refused(Fault.NONCE, VerificationStage.BINDING, match="user data"):
            proven(json.dumps(document).encode())

    def test_what_the_paravisor_says_of_the_machine_is_told(self):
        assert proven(SNP_EVIDENCE).facts["vm.secure-boot"] == "true"


class TestReportAlone:
    REPORT, KEY, QUOTE = clouds.azure_parts(SNP_EVIDENCE)

    def test_with_the_quote_beside_it_it_proves_what_both_do_in_one_document(self):
        assert kind_of(self.REPORT) is EvidenceKind.TPM_AZURE
        found = proven(self.REPORT, certificate=self.KEY, quotes=(self.QUOTE,), nonce=b"challenge")
        assert found == proven(SNP_EVIDENCE)

    def test_without_one_its_user_data_are_its_report_data(self):
        found = proven(self.REPORT, certificate=self.KEY, nonce=b"")
        assert found.report_data == bytes(64)
        assert "pcr0" not in found.measurements
        with refused(Fault.NONCE, VerificationStage.BINDING):
            proven(self.REPORT, certificate=self.KEY, nonce=b"challenge")

    def test_a_quote_of_another_machine_is_refused(self):
        with refused(Fault.SIGNATURE, VerificationStage.SIGNATURE):
            quotes = (clouds.trustee_quote("bincode"),)
            proven(self.REPORT, certificate=self.KEY, quotes=quotes)
        with refused(Fault.MALFORMED, match="more than one"):
            proven(self.REPORT, certificate=self.KEY, quotes=(self.QUOTE, self.QUOTE))

    def test_one_of_tdx_needs_the_quote_that_vouches_for_it(self):
        report, _, _ = clouds.azure_parts((OWN / "azure-tdx-vtpm.json").read_bytes())
        with refused(Fault.COLLATERAL_MISSING, VerificationStage.COLLATERAL, match="TD quote"):
            proven(report)

    @pytest.mark.parametrize("version", [0, 3, 1 << 31])
    def test_another_version_is_refused_by_its_number(self, version):
        changed = self.REPORT[:4] + version.to_bytes(4, "little") + self.REPORT[8:]
        with refused(Fault.UNSUPPORTED_VERSION, VerificationStage.FORMAT, match=str(version)):
            proven(changed, certificate=self.KEY)
