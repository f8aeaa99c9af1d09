import base64
import json
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from support.refused_evidence import refused
from support.snp_evidence import (
    CHIP,
    CHIP_KEY,
    GENOA,
    GENOA_CPU,
    MILAN,
    MILAN_CPU,
    ROOTS,
    TURIN,
    Line,
    Recipe,
    amd,
    integer,
    oid,
    tlv,
)
from support.throwaway_chain import NOON, YEAR, revocation_list
from tabasco.appraisal.checks import Acceptance, appraise
from tabasco.appraisal.policy import AppraisalPolicy
from tabasco.verify import EvidenceError, Fault, VerificationStage
from tabasco.verify.amd.report import Product, SnpTcb
from tabasco.verify.amd.snp import Endorsements, verify_snp

OTHER_KEY = ec.generate_private_key(ec.SECP384R1())
KINDS = [
    Recipe(version=2),
    Recipe(version=3),
    Recipe(version=4),
    Recipe(version=5),
    Recipe(kind="VLEK"),
    Recipe(kind="VLEK", fields={0x48: b"\6"}),
    Recipe(kind="VLEK", serial=77),
    Recipe(line=GENOA),
    Recipe(line=TURIN, version=5),
    Recipe(line=TURIN, kind="VLEK"),
]


def certificates_pem(der):
    body = base64.encodebytes(der)
    return b"-----BEGIN CERTIFICATE-----\n" + body + b"-----END CERTIFICATE-----\n"


def constraints(members):
    return tlv(0x30, oid("551d13"), b"\1\1\xff", tlv(4, tlv(0x30, members)))


def usage(bits):
    return tlv(0x30, oid("551d0f"), b"\1\1\xff", tlv(4, tlv(3, bytes([0, bits]))))


@pytest.mark.parametrize("recipe", KINDS)
def test_good_evidence_of_every_kind_is_accepted(recipe):
    proven = recipe.verify()
    appraise(proven, Acceptance(report_data=b"R" * 64))
    assert proven.facts["product"] == recipe.line.product.value
    assert proven.facts["signing_key"] == recipe.kind.lower()
    assert proven.valid_until == NOON + YEAR


class TestFacts:
    def test_the_mitigations_of_the_firmware_are_told_since_version_5(self):
        fields = {0x1F8: b"\1", 0x200: b"\3"}
        proven = Recipe(version=5, fields=fields).verify()
        assert str(proven.facts["launch_mitigations"]) == "0x1"
        assert str(proven.facts["current_mitigations"]) == "0x3"
        assert "current_mitigations" not in Recipe(version=4, fields=fields).verify().facts

    def test_a_chip_that_its_host_masks_is_told_and_a_policy_has_to_accept_it(self):
        proven = Recipe(fields={0x1A0: bytes(64)}).verify()
        assert proven.facts["chip_id_masked"] == "true"
        assert proven.facts["hardware_id"] == CHIP.hex()
        with refused(Fault.ATTRIBUTES, match="masks the chip's id"):
            appraise(proven, Acceptance())
        appraise(proven, Acceptance(concerns=frozenset({"snp.chip-id-masked"})))
        assert Recipe().verify().facts["chip_id_masked"] == "false"

    def test_a_policy_can_ask_for_the_provider_that_a_key_was_lent_to(self):
        proven = Recipe(kind="VLEK").verify()
        assert proven.facts["csp_id"] == "CN=a provider"
        text = (
            "version = 1\n[sev-snp]\nmeasurements.measurement = ['%s']\n"
            "[sev-snp.facts.csp_id]\nequals = '%s'\n"
        )
        measured = proven.measurements["measurement"].hex()
        for provider, refusal in (("CN=a provider", None), ("CN=another", "fact.csp_id")):
            policy = AppraisalPolicy.parse((text % (measured, provider)).encode())
            found = policy.evaluate(proven).refused_by
            assert (found and found.name) == refusal
        assert "csp_id" not in Recipe().verify().facts

    @pytest.mark.parametrize("csp_id", [None, b"", b"x" * 129, b"\xff"])
    def test_a_providers_key_that_names_no_provider_is_refused(self, csp_id):
        with pytest.raises(EvidenceError) as caught:
            Recipe(kind="VLEK", csp_id=csp_id).verify()
        assert caught.value.fault in {Fault.CERTIFICATE_MISMATCH, Fault.MALFORMED}


class TestGivenCertificates:
    def check(self, key, authorities=None):
        recipe = Recipe()
        given = Endorsements(key, authorities)
        assert verify_snp(recipe.report(), endorsements=given, at=NOON, roots=ROOTS).debug is False

    def parts(self):
        recipe = Recipe()
        key = certificates_pem(recipe.certificate())
        return key, recipe.endorsements().authorities

    def test_one_file_may_have_them_all_with_explanations(self):
        key, authorities = self.parts()
        self.check(b"# SEV-VCEK\n" + key + b"\nsubject=ASK\r\n" + authorities + b"\n# end\n")

    def test_the_authorities_may_have_the_key_among_them(self):
        key, authorities = self.parts()
        self.check(Recipe().certificate(), b"# SEV-VCEK\n" + key + authorities)

    def test_the_json_of_azures_hosts_is_read_in_base64_too(self):
        key, authorities = self.parts()
        document = json.dumps(
            {"vcekCert": key.decode(), "certificateChain": authorities.decode(), "tcbm": "1"}
        ).encode()
        self.check(document)
        self.check(base64.b64encode(document))
        with refused(Fault.MALFORMED, VerificationStage.FORMAT):
            self.check(json.dumps({"vcekCert": key.decode()}).encode())

    def test_a_private_key_or_a_second_endorsement_key_beside_is_refused(self):
        key, authorities = self.parts()
        with refused(Fault.MALFORMED, VerificationStage.CHAIN, match="other text"):
            self.check(key + b"-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n")
        other = certificates_pem(Recipe(serial=5).certificate())
        with refused(Fault.MALFORMED, VerificationStage.CHAIN, match="2 certificates"):
            self.check(key + other + authorities)
        with refused(Fault.CHAIN, match="not given"):
            self.check(key)


class TestForm:
    @pytest.mark.parametrize("version", [0, 1, 6, 1 << 31])
    def test_other_versions_are_refused_by_their_number(self, version):
        match = f"version {version}, known are 2 to 5"
        with refused(Fault.UNSUPPORTED_VERSION, VerificationStage.FORMAT, match=match):
            Recipe(version=version).verify()

    @pytest.mark.parametrize("algorithm", [b"\0", b"\2", b"\1\1"])
    def test_other_signature_algorithms_are_refused(self, algorithm):
        with refused(Fault.UNSUPPORTED_ALGORITHM, VerificationStage.FORMAT):
            Recipe(fields={0x34: algorithm}).verify()

    @pytest.mark.parametrize("keys", [7 << 2, 1 << 1])
    def test_a_report_that_the_firmware_did_not_sign_is_refused(self, keys):
        with refused(Fault.UNSIGNED, VerificationStage.FORMAT):
            Recipe(fields={0x48: bytes([keys])}).verify()

    @pytest.mark.parametrize("kind", range(2, 7))
    def test_other_signing_keys_are_refused(self, kind):
        with refused(Fault.UNSUPPORTED_ALGORITHM, VerificationStage.FORMAT):
            Recipe(fields={0x48: bytes([kind << 2])}).verify()

    @pytest.mark.parametrize("cpu", [b"\x17\x31", b"\x19\x50", b"\x1a\x50", b"\0\0"])
    def test_other_processors_are_refused(self, cpu):
        with refused(Fault.UNSUPPORTED_VERSION, VerificationStage.FORMAT):
            Recipe(fields={0x188: cpu}).verify()

    @pytest.mark.parametrize("offset", [48, 71, 72 + 48, 144, 511])
    def test_nothing_is_hidden_around_the_signature(self, offset):
        with refused(Fault.MALFORMED, VerificationStage.FORMAT):
            Recipe(signature={offset: b"\1"}).verify()


class TestSignature:
    def test_a_report_by_another_key_is_refused(self):
        with refused(Fault.SIGNATURE, VerificationStage.SIGNATURE):
            Recipe(key=OTHER_KEY).verify()

    def test_numbers_in_the_other_order_are_no_signature(self):
        with refused(Fault.SIGNATURE, VerificationStage.SIGNATURE):
            Recipe(big_endian=True).verify()

    @pytest.mark.parametrize("number", [bytes(48), b"\xff" * 48], ids=["zero", "too-large"])
    @pytest.mark.parametrize("offset", [0, 72])
    def test_numbers_out_of_range_are_no_signature(self, number, offset):
        with refused(Fault.SIGNATURE, VerificationStage.SIGNATURE):
            Recipe(signature={offset: number}).verify()


class TestChain:
    def test_another_root_is_not_believed(self):
        with refused(Fault.UNKNOWN_ROOT, VerificationStage.CHAIN):
            verify_snp(Recipe().report(), endorsements=Recipe().endorsements(), at=NOON)
        impostor = Line(Product.MILAN)
        recipe = Recipe(authorities=(impostor.ask, impostor.ark), issuer=impostor.ask)
        with refused(Fault.UNKNOWN_ROOT, VerificationStage.CHAIN):
            recipe.verify()

    def test_an_authority_by_another_root_is_not_believed(self):
        impostor = Line(Product.MILAN)
        recipe = Recipe(authorities=(impostor.ask, MILAN.ark), issuer=impostor.ask)
        with refused(Fault.CHAIN, VerificationStage.CHAIN):
            recipe.verify()

    def test_a_forged_key_is_refused(self):
        with refused(Fault.CHAIN, VerificationStage.CHAIN):
            Recipe(signer=MILAN.asvk.key).verify()
        with refused(Fault.CHAIN, VerificationStage.CHAIN):
            Recipe(key=OTHER_KEY, certificate_key=OTHER_KEY, signer=GENOA.ask.key).verify()

    def test_the_authority_of_chips_does_not_certify_a_providers_key(self):
        with refused(Fault.CHAIN, VerificationStage.CHAIN):
            Recipe(kind="VLEK", issuer=MILAN.ask).verify()
        with refused(Fault.CHAIN, VerificationStage.CHAIN):
            Recipe(kind="VLEK", named_issuer=MILAN.ask).verify()
        with refused(Fault.CHAIN, VerificationStage.CHAIN):
            Recipe(issuer=MILAN.asvk).verify()
        with refused(Fault.CHAIN, VerificationStage.CHAIN):
            Recipe(issuer=MILAN.ark).verify()

    def test_a_key_of_one_kind_does_not_sign_as_the_other(self):
        with refused(Fault.CERTIFICATE_MISMATCH, VerificationStage.CHAIN):
            Recipe(fields={0x48: b"\4"}).verify()
        with refused(Fault.CERTIFICATE_MISMATCH, VerificationStage.CHAIN):
            Recipe(kind="VLEK", fields={0x48: b"\0"}).verify()

    def test_the_certificate_is_valid_at_the_time_asked_for(self):
        with refused(Fault.EXPIRED, VerificationStage.CHAIN):
            Recipe(end=NOON - YEAR / 2).verify()
        with refused(Fault.NOT_YET_VALID, VerificationStage.CHAIN):
            Recipe(start=NOON + YEAR / 2).verify()
        with refused(Fault.EXPIRED, VerificationStage.CHAIN):
            Recipe(end=NOON + 3 * YEAR).verify(at=NOON + 2 * YEAR)

    def test_all_the_authorities_have_to_be_given_and_once(self):
        for given in ((MILAN.ask,), (MILAN.ark,), (MILAN.asvk, MILAN.ark), (MILAN.ask,) * 2):
            with refused(Fault.CHAIN, VerificationStage.CHAIN):
                Recipe(authorities=given).verify()

    def test_the_authorities_of_another_product_line_are_not_taken(self):
        with refused(Fault.CHAIN, VerificationStage.CHAIN):
            Recipe(authorities=(GENOA.ask, GENOA.ark)).verify()

    def test_a_certificate_of_somebody_else_is_no_endorsement_key(self):
        with refused(Fault.CHAIN, VerificationStage.CHAIN):
            Recipe(name="SEV-CEK").verify()
        with refused(Fault.UNSUPPORTED_ALGORITHM, VerificationStage.CHAIN):
            Recipe(certificate_key=ec.generate_private_key(ec.SECP256R1())).verify()
        with refused(Fault.UNSUPPORTED_ALGORITHM, VerificationStage.CHAIN):
            Recipe(algorithm=bytes.fromhex("300d06092a864886f70d01010c0500")).verify()

    def test_critical_repeated_and_missing_extensions_are_refused(self):
        with refused(Fault.CHAIN, VerificationStage.CHAIN):
            Recipe(extra=(amd(b"\7", b"", critical=True),)).verify()
        for plain in (constraints(b""), usage(0x80)):
            Recipe(extra=(plain,)).verify()
        for other in (constraints(b"\1\1\xff"), usage(0x04)):
            with refused(Fault.CHAIN, VerificationStage.CHAIN):
                Recipe(extra=(other,)).verify()
        with refused(Fault.MALFORMED, VerificationStage.CHAIN):
            Recipe(extra=(constraints(b"\1\1\0"),)).verify()
        with refused(Fault.MALFORMED, VerificationStage.CHAIN):
            Recipe(extra=(amd(b"\3\1", integer(4)),)).verify()
        with refused(Fault.CERTIFICATE_MISMATCH, VerificationStage.CHAIN):
            Recipe(kind="VLEK", fields={0x48: b"\0"}, name="SEV-VCEK", issuer=MILAN.ask).verify()
        with refused(Fault.MALFORMED, VerificationStage.CHAIN):
            Recipe(certified={1: 256}).verify()


class TestRevocation:
    def test_without_a_list_people_are_warned(self):
        assert Recipe().verify().warnings
        assert not Recipe(crl=revocation_list(MILAN.ark)).verify().warnings

    def test_a_revoked_authority_is_refused(self):
        with refused(Fault.REVOKED, VerificationStage.CHAIN):
            Recipe(crl=revocation_list(MILAN.ark, 200)).verify()
        Recipe(crl=revocation_list(MILAN.ark, 201)).verify()
        with refused(Fault.REVOKED, VerificationStage.CHAIN):
            Recipe(kind="VLEK", crl=revocation_list(MILAN.ark, 201)).verify()

    def test_a_list_is_by_the_root_and_current(self):
        with refused(Fault.COLLATERAL_MISMATCH, VerificationStage.COLLATERAL):
            Recipe(crl=revocation_list(GENOA.ark)).verify()
        old = revocation_list(MILAN.ark, start=NOON - YEAR, end=NOON - YEAR / 2)
        with refused(Fault.EXPIRED, VerificationStage.COLLATERAL):
            Recipe(crl=old).verify()
        with refused(Fault.COLLATERAL_SIGNATURE, VerificationStage.COLLATERAL):
            Recipe(crl=revocation_list(MILAN.ark, key=GENOA.ark.key)).verify()


class TestMatch:
    @pytest.mark.parametrize("arc", [1, 2, 3, 8])
    @pytest.mark.parametrize("line", [MILAN, TURIN], ids=["milan", "turin"])
    def test_a_key_for_other_firmware_is_refused(self, arc, line):
        with refused(Fault.CERTIFICATE_MISMATCH, VerificationStage.CHAIN):
            Recipe(line=line, certified={arc: 9}).verify()

    def test_turin_has_one_component_more(self):
        with refused(Fault.CERTIFICATE_MISMATCH, VerificationStage.CHAIN):
            Recipe(line=TURIN, certified={9: 2}).verify()

    def test_the_reported_firmware_counts_and_not_the_current(self):
        newer = bytes([9, 0, 0, 0, 0, 0, 99, 250])
        proven = Recipe(fields={0x38: newer}).verify()
        assert proven.facts["current_tcb"] != proven.facts["reported_tcb"]
        with refused(Fault.CERTIFICATE_MISMATCH, VerificationStage.CHAIN):
            Recipe(fields={0x180: newer}).verify()

    def test_a_key_of_another_chip_is_refused(self):
        with refused(Fault.CERTIFICATE_MISMATCH, VerificationStage.CHAIN):
            Recipe(fields={0x1A0: b"\xff"}).verify()
        with refused(Fault.CERTIFICATE_MISMATCH, VerificationStage.CHAIN):
            Recipe(hardware_id=CHIP[::-1]).verify()
        with refused(Fault.CERTIFICATE_MISMATCH, VerificationStage.CHAIN):
            Recipe(line=TURIN, fields={0x1A0 + 8: b"\1"}).verify()

    def test_a_chips_identifier_is_of_its_size_bare_or_wrapped(self):
        Recipe(hardware_id=tlv(4, CHIP)).verify()
        Recipe(line=TURIN, hardware_id=tlv(4, CHIP[:8])).verify()
        for wrong in (CHIP[:63], CHIP + b"\0", CHIP[:8], b"", tlv(4, CHIP[:62])):
            with pytest.raises(EvidenceError):
                Recipe(hardware_id=wrong).verify()

    def test_a_report_of_another_product_is_refused(self):
        with refused(Fault.CERTIFICATE_MISMATCH, VerificationStage.CHAIN):
            Recipe(fields={0x188: GENOA_CPU}).verify()
        with refused(Fault.CERTIFICATE_MISMATCH, VerificationStage.CHAIN):
            Recipe(line=GENOA, fields={0x188: MILAN_CPU}).verify()


class TestPolicy:
    def test_a_debuggable_guest_is_authentic_and_refused(self):
        proven = Recipe(fields={8: b"\0\0\x0b"}).verify()
        assert proven.debug
        with refused(Fault.DEBUG, VerificationStage.APPRAISAL):
            appraise(proven, Acceptance())

    def test_a_guest_that_may_migrate_is_refused_unless_a_policy_names_it(self):
        proven = Recipe(fields={8: b"\0\0\7"}).verify()
        with refused(Fault.ATTRIBUTES, VerificationStage.APPRAISAL):
            appraise(proven, Acceptance())
        appraise(proven, Acceptance(concerns=frozenset({"snp.migration-agent"})))

    @pytest.mark.parametrize("vmpl", [1, 2, 3, 1 << 24])
    def test_a_level_with_fewer_privileges_is_refused_unless_it_is_allowed(self, vmpl):
        recipe = Recipe(fields={0x30: vmpl.to_bytes(4, "little")})
        for highest in (0, vmpl - 1):
            with refused(Fault.PRIVILEGE_LEVEL, VerificationStage.APPRAISAL):
                appraise(recipe.verify(max_vmpl=highest), Acceptance())
        appraise(recipe.verify(max_vmpl=vmpl), Acceptance())

    @pytest.mark.parametrize("name", ["boot_loader", "tee", "snp", "microcode", "fmc"])
    def test_firmware_below_the_floor_in_any_component_is_refused(self, name):
        floor = SnpTcb(boot_loader=4, tee=0, snp=24, microcode=219, fmc=1)
        recipe = Recipe(line=TURIN)
        appraise(recipe.verify(floor=floor), Acceptance())
        higher = replace(floor, **{name: getattr(floor, name) + 1})
        with refused(Fault.TCB_FLOOR, VerificationStage.APPRAISAL):
            appraise(recipe.verify(floor=higher), Acceptance())


def test_a_certificate_comes_in_der_or_as_the_only_one_of_a_pem_text():
    recipe = Recipe()
    good = recipe.endorsements()
    assert recipe.certificate_key is CHIP_KEY
    two = Endorsements(MILAN.ask.pem + MILAN.ark.pem, good.authorities)
    with refused(Fault.CHAIN, VerificationStage.CHAIN, match="0 certificates of endorsement keys"):
        recipe.verify(endorsements=two)
    with refused(Fault.MALFORMED, VerificationStage.CHAIN):
        recipe.verify(endorsements=Endorsements(bytes(20_000), good.authorities))
    with refused(Fault.CHAIN, VerificationStage.CHAIN):
        recipe.verify(endorsements=Endorsements(MILAN.ask.pem, good.authorities))
