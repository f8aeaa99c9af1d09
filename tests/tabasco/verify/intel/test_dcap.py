import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from support.dcap_evidence import (
    ATTESTATION_KEY,
    PCK_SERIAL,
    PLATFORM_CA,
    PROCESSOR_CA,
    ROOT,
    ROOTS,
    SIGNER,
    SVNS,
    TDX,
    Recipe,
    counted,
    enclave_level,
    patched,
    point,
    raw_signature,
    sgx_extension,
    window,
)
from support.refused_evidence import refused
from support.throwaway_chain import NOON, YEAR, Form, authority, issue, revocation_list
from tabasco.appraisal.checks import Acceptance, appraise
from tabasco.verify import EvidenceError, Fault, TcbStatus, VerificationStage
from tabasco.verify.intel.collateral import MAX_COLLATERAL_BYTES, Collateral
from tabasco.verify.intel.dcap import verify_dcap
from tabasco.verify.intel.quote import MAX_QUOTE_BYTES, parse_quote
from tabasco.verify.intel.statements import parse_qe_identity, parse_tcb_info

KINDS = [
    Recipe(),
    Recipe(version=4),
    Recipe(version=5),
    Recipe(tee=TDX, version=4),
    Recipe(tee=TDX, version=5),
    Recipe(tee=TDX, version=5, td_15=True),
]
OTHER_KEY = ec.generate_private_key(ec.SECP256R1())


@pytest.mark.parametrize("recipe", KINDS)
def test_good_evidence_of_every_kind_is_accepted(recipe):
    proven = recipe.verify()
    appraise(proven, Acceptance(report_data=b"R" * 64))
    assert proven.kind == ("tdx" if recipe.tee == TDX else "sgx")
    assert proven.tcb_status is TcbStatus.UP_TO_DATE
    assert proven.measurements.keys() >= ({"mrtd"} if recipe.tee == TDX else {"mrenclave"})


def test_report_data_of_somebody_else_is_refused():
    with refused(Fault.REPORT_DATA, VerificationStage.BINDING):
        appraise(Recipe().verify(), Acceptance(report_data=b"Q" * 64))


class TestForm:
    def test_nothing_is_no_quote(self):
        with refused(Fault.MALFORMED, VerificationStage.FORMAT):
            parse_quote(b"")

    def test_more_than_the_limit_is_not_read(self):
        with refused(Fault.MALFORMED, VerificationStage.FORMAT):
            parse_quote(Recipe().quote() + bytes(MAX_QUOTE_BYTES))

    @pytest.mark.parametrize("version", [0, 1, 2, 6, 0xFFFF])
    def test_other_versions_are_refused(self, version):
        with refused(Fault.UNSUPPORTED_VERSION, VerificationStage.FORMAT):
            Recipe(header={0: version.to_bytes(2, "little")}).verify()

    def test_other_kinds_of_attestation_keys_are_refused(self):
        with refused(Fault.UNSUPPORTED_ALGORITHM, VerificationStage.FORMAT):
            Recipe(header={2: b"\3\0"}).verify()

    @pytest.mark.parametrize(("version", "tee"), [(3, b"\x81"), (4, b"\1"), (4, b"\0\0\0\1")])
    def test_other_kinds_of_platforms_are_refused(self, version, tee):
        with refused(Fault.MALFORMED, VerificationStage.FORMAT):
            Recipe(version=version, header={4: tee}).verify()

    def test_quoting_enclaves_of_other_vendors_are_refused(self):
        with refused(Fault.ENCLAVE_IDENTITY, VerificationStage.FORMAT):
            Recipe(header={12: bytes(16)}).verify()

    @pytest.mark.parametrize("kind", [1, 2, 3, 4, 6, 7])
    def test_only_a_chain_of_certificates_certifies(self, kind):
        with refused(Fault.UNSUPPORTED_VERSION, VerificationStage.FORMAT):
            Recipe(version=4, chain_type=kind).verify()

    def test_a_body_of_version_5_has_the_size_of_its_type(self):
        quote = Recipe(tee=TDX, version=5, td_15=True).quote()
        for kind, size in ((1, 648), (2, 648), (3, 584), (4, 648), (3, 1 << 31)):
            described = kind.to_bytes(2, "little") + size.to_bytes(4, "little")
            with refused(Fault.MALFORMED, VerificationStage.FORMAT):
                parse_quote(patched(quote, {48: described}))

    @pytest.mark.parametrize("offset", [432, 436 + 64 + 64 + 384 + 64])
    def test_a_length_that_promises_too_much_is_refused(self, offset):
        with refused(Fault.MALFORMED, VerificationStage.FORMAT):
            parse_quote(patched(Recipe().quote(), {offset: b"\xff\xff"}))

    @pytest.mark.parametrize("offset", [432, 436 + 64 + 64 + 384 + 64])
    def test_a_length_that_promises_too_little_is_refused(self, offset):
        with pytest.raises(EvidenceError) as caught:
            parse_quote(patched(Recipe().quote(), {offset: b"\0\0"}))
        assert caught.value.stage is VerificationStage.FORMAT

    def test_bytes_left_inside_are_refused(self):
        quote = Recipe().quote()
        inner = quote[436:] + b"\0"
        with refused(Fault.TRAILING_BYTES, VerificationStage.FORMAT):
            parse_quote(quote[:432] + counted(4, inner))


class TestSignatures:
    def test_a_body_that_was_not_signed_is_refused(self):
        with refused(Fault.SIGNATURE, VerificationStage.SIGNATURE):
            verify(patched(Recipe().quote(), {48 + 64: b"X"}))

    def test_an_attestation_key_off_the_curve_is_refused(self):
        with refused(Fault.MALFORMED, VerificationStage.SIGNATURE):
            verify(patched(Recipe().quote(), {436 + 64: bytes(64)}))

    def test_zero_is_no_signature(self):
        with refused(Fault.SIGNATURE, VerificationStage.SIGNATURE):
            verify(patched(Recipe().quote(), {436: bytes(64)}))

    def test_an_attestation_key_that_the_quoting_enclave_did_not_make_is_refused(self):
        quote = Recipe().quote()
        forged = patched(quote, {436: raw_signature(OTHER_KEY, quote[:432]), 500: point(OTHER_KEY)})
        with refused(Fault.KEY_BINDING, VerificationStage.SIGNATURE):
            verify(forged)
        assert point(ATTESTATION_KEY) == quote[500:564]

    @pytest.mark.parametrize("bound", [bytes(32), b"\1" * 64])
    def test_nothing_else_is_in_the_quoting_enclaves_report(self, bound):
        with refused(Fault.KEY_BINDING, VerificationStage.SIGNATURE):
            Recipe(bound=bound).verify()
        with refused(Fault.KEY_BINDING, VerificationStage.SIGNATURE):
            Recipe(qe={383: b"\1"}).verify()

    def test_a_report_that_the_platform_did_not_sign_is_refused(self):
        with refused(Fault.SIGNATURE, VerificationStage.SIGNATURE):
            Recipe(pck_key=OTHER_KEY).verify()


class TestChain:
    def test_another_root_is_not_believed(self):
        with refused(Fault.UNKNOWN_ROOT, VerificationStage.CHAIN):
            verify_dcap(Recipe().quote(), collateral=Recipe().collateral(), at=NOON)

    def test_the_platforms_certificate_is_valid_at_the_time_asked_for(self):
        with refused(Fault.NOT_YET_VALID, VerificationStage.CHAIN):
            Recipe(pck_form={"start": NOON + YEAR / 2}).verify()
        with refused(Fault.EXPIRED, VerificationStage.CHAIN):
            Recipe(pck_form={"end": NOON - YEAR / 2}).verify()

    def test_only_a_platforms_certificate_signs_for_a_platform(self):
        with refused(Fault.CHAIN, VerificationStage.CHAIN):
            Recipe(pck_name="Intel SGX TCB Signing").verify()
        other = issue("Intel SGX Other CA", ROOT, authority(path_length=0))
        with refused(Fault.CHAIN, VerificationStage.CHAIN):
            Recipe(pck_issuer=other).verify()

    def test_the_signer_of_collateral_signs_for_no_platform(self):
        with refused(Fault.CHAIN, VerificationStage.CHAIN):
            Recipe(chain=[SIGNER, ROOT], pck_key=SIGNER.key).verify()

    def test_a_chain_in_another_order_is_refused(self):
        pck, authority_, root = Recipe()._chain()
        with refused(Fault.UNKNOWN_ROOT, VerificationStage.CHAIN):
            Recipe(chain=[pck, root, authority_]).verify()
        with refused(Fault.CHAIN, VerificationStage.CHAIN):
            Recipe(chain=[pck, root]).verify()

    def test_a_certificate_that_does_not_speak_of_a_platform_is_refused(self):
        with refused(Fault.CHAIN, VerificationStage.CHAIN):
            Recipe(pck_form={"extensions": []}).verify()
        extension = sgx_extension(SVNS[:15], 10)
        with refused(Fault.MALFORMED, VerificationStage.CHAIN):
            Recipe(pck_form={"extensions": [(extension, False)]}).verify()


class TestRevocation:
    def test_a_revoked_platform_is_refused(self):
        with refused(Fault.REVOKED, VerificationStage.CHAIN):
            Recipe(pck_revoked=(PCK_SERIAL,)).verify()

    def test_a_revoked_authority_is_refused(self):
        with refused(Fault.REVOKED, VerificationStage.CHAIN):
            Recipe(root_revoked=(100,)).verify()
        Recipe(root_revoked=(101,)).verify()

    def test_a_revoked_signer_of_collateral_is_refused(self):
        with refused(Fault.REVOKED, VerificationStage.CHAIN):
            Recipe(root_revoked=(102,)).verify()

    @pytest.mark.parametrize("recipe", KINDS)
    def test_revocation_counts_whatever_else_is_wrong(self, recipe):
        changed = Recipe(
            **vars(recipe) | {"qe": {258: b"\1\0"}, "pck_revoked": (PCK_SERIAL,), "svns": (0,) * 16}
        )
        with refused(Fault.REVOKED, VerificationStage.CHAIN):
            changed.verify()

    def test_the_list_of_another_authority_says_nothing(self):
        other = revocation_list(PROCESSOR_CA).hex()
        with refused(Fault.COLLATERAL_MISMATCH, VerificationStage.COLLATERAL):
            Recipe(collateral_changes={"pck_crl": other}).verify()
        Recipe(pck_issuer=PROCESSOR_CA).verify()
        swapped = {"root_ca_crl": revocation_list(PLATFORM_CA).hex()}
        with refused(Fault.COLLATERAL_MISMATCH, VerificationStage.COLLATERAL):
            Recipe(collateral_changes=swapped).verify()

    @pytest.mark.parametrize("name", ["pck_crl", "root_ca_crl"])
    def test_lists_are_signed_and_current(self, name):
        issuer = PLATFORM_CA if name == "pck_crl" else ROOT
        for options, fault in (
            ({"key": OTHER_KEY}, Fault.COLLATERAL_SIGNATURE),
            ({"end": NOON - YEAR / 100, "start": NOON - YEAR / 50}, Fault.EXPIRED),
            ({"start": NOON + YEAR / 100, "end": NOON + YEAR / 50}, Fault.NOT_YET_VALID),
        ):
            changes = {name: revocation_list(issuer, **options).hex()}
            with refused(fault, VerificationStage.COLLATERAL):
                Recipe(collateral_changes=changes).verify()


class TestCollateral:
    @pytest.mark.parametrize("name", ["tcb_info", "qe_identity"])
    def test_an_edited_statement_is_refused(self, name):
        text = getattr(Recipe().collateral(), name).decode()
        for edited in (text.replace("UpToDate", "Uptodate"), text + " ", text.replace(",", ", ")):
            with refused(Fault.COLLATERAL_SIGNATURE, VerificationStage.COLLATERAL):
                Recipe(collateral_changes={name: edited}).verify()

    @pytest.mark.parametrize("name", ["tcb_info", "qe_identity"])
    def test_a_statement_is_used_in_its_own_time_alone(self, name):
        with refused(Fault.COLLATERAL_EXPIRED, VerificationStage.COLLATERAL):
            Recipe(**{name: window(start=-30, end=-1)}).verify()
        with refused(Fault.NOT_YET_VALID, VerificationStage.COLLATERAL):
            Recipe(**{name: window(start=1, end=30)}).verify()
        Recipe(**{name: window(start=0, end=0)}).verify()

    def test_only_the_signer_of_collateral_signs_it(self):
        pck = Recipe()._chain()[0]
        chain = (pck.pem + PLATFORM_CA.pem + ROOT.pem).decode()
        recipe = Recipe(signer=pck, collateral_changes={"tcb_info_issuer_chain": chain})
        with refused(Fault.CHAIN, VerificationStage.COLLATERAL):
            recipe.verify()
        with refused(Fault.CHAIN, VerificationStage.COLLATERAL):
            Recipe(signer=issue("Intel SGX PCK Certificate", ROOT, Form())).verify()

    def test_a_signer_under_another_root_is_not_believed(self):
        root = issue("Intel SGX Root CA", None, authority())
        signer = issue("Intel SGX TCB Signing", root, Form())
        chain = (signer.pem + root.pem).decode()
        changes = {"tcb_info_issuer_chain": chain, "qe_identity_issuer_chain": chain}
        with refused(Fault.UNKNOWN_ROOT, VerificationStage.COLLATERAL):
            Recipe(signer=signer, collateral_changes=changes).verify()

    def test_every_chain_that_is_given_has_to_hold(self):
        root = issue("Intel SGX Root CA", None, authority())
        for chain, fault in (
            ((PLATFORM_CA, root), Fault.UNKNOWN_ROOT),
            ((SIGNER, ROOT), Fault.CHAIN),
            ((issue("Intel SGX PCK Platform CA", root, authority()), ROOT), Fault.CHAIN),
        ):
            text = b"".join(member.pem for member in chain).decode()
            with refused(fault, VerificationStage.COLLATERAL):
                Recipe(collateral_changes={"pck_crl_issuer_chain": text}).verify()

    def test_a_signer_whose_certificate_ended_is_not_believed(self):
        signer = issue("Intel SGX TCB Signing", ROOT, Form(end=NOON - YEAR / 2))
        with refused(Fault.EXPIRED, VerificationStage.COLLATERAL):
            Recipe(signer=signer).verify()

    @pytest.mark.parametrize("changes", [{"fmspc": "00606a000001"}, {"pceId": "0001"}])
    def test_a_statement_about_other_platforms_says_nothing(self, changes):
        with refused(Fault.COLLATERAL_MISMATCH, VerificationStage.COLLATERAL):
            Recipe(tcb_info=changes).verify()

    def test_statements_about_sgx_and_tdx_are_not_mixed(self):
        with refused(Fault.COLLATERAL_MISMATCH, VerificationStage.COLLATERAL):
            Recipe(qe_identity={"id": "TD_QE"}).verify()
        with refused(Fault.COLLATERAL_MISMATCH, VerificationStage.COLLATERAL):
            Recipe(tee=TDX, version=4, qe_identity={"id": "QE"}).verify()
        with refused(Fault.COLLATERAL_MISMATCH, VerificationStage.COLLATERAL):
            Recipe(tcb_info={"id": "TDX"}).verify()
        with refused(Fault.COLLATERAL_MISMATCH, VerificationStage.COLLATERAL):
            Recipe(tee=TDX, version=4, tcb_info={"id": "SGX"}).verify()

    @pytest.mark.parametrize(
        ("changes", "fault"),
        [
            ({"version": 2}, Fault.UNSUPPORTED_VERSION),
            ({"version": True}, Fault.MALFORMED),
            ({"tcbType": 1}, Fault.MALFORMED),
            ({"id": "QE"}, Fault.MALFORMED),
            ({"fmspc": "00606a0000"}, Fault.MALFORMED),
            ({"fmspc": "00606a0000zz"}, Fault.MALFORMED),
            ({"issueDate": "2026-01-01T00:00:00"}, Fault.MALFORMED),
            ({"issueDate": "2026-01-01T00:00:00+01:00"}, Fault.MALFORMED),
            ({"tcbLevels": {}}, Fault.MALFORMED),
            ({"tcbLevels": [1]}, Fault.MALFORMED),
            ({"tcbLevels": [{}] * 300}, Fault.MALFORMED),
            ({"tcbEvaluationDataNumber": -1}, Fault.MALFORMED),
            ({"tcbEvaluationDataNumber": 1.0}, Fault.MALFORMED),
        ],
    )
    def test_a_signed_statement_that_is_not_understood_is_refused(self, changes, fault):
        with refused(fault, VerificationStage.COLLATERAL):
            Recipe(tcb_info=changes).verify()

    def test_unknown_and_repeated_members_are_refused(self):
        with refused(Fault.MALFORMED, VerificationStage.COLLATERAL):
            Recipe(collateral_changes={"more": ""}).collateral()
        with refused(Fault.MALFORMED, VerificationStage.COLLATERAL):
            Recipe(collateral_changes={"pck_crl": "zz"}).collateral()
        with refused(Fault.MALFORMED, VerificationStage.COLLATERAL):
            Collateral.from_json(b'{"pck_crl":"","pck_crl":""}')
        for parse in (parse_tcb_info, parse_qe_identity):
            with refused(Fault.MALFORMED, VerificationStage.COLLATERAL):
                parse('{"version":3,"tcb":{"svn":1,"svn":2}}')

    def test_a_revocation_list_may_be_as_large_as_collateral_allows(self):
        size = 4 << 20
        collateral = Recipe(collateral_changes={"pck_crl": bytes(size).hex()}).collateral()
        assert len(collateral.pck_crl) == size

    def test_a_platforms_chain_that_comes_along_is_not_looked_at(self):
        Recipe(collateral_changes={"pck_certificate_chain": "of somebody"}).verify()

    def test_collateral_with_nothing_missing_is_wanted(self):
        for text in (b"{}", b"[]", b"null", b'"', b"[" * 100_000, b"\xff", b'{"pck_crl":1}'):
            with refused(Fault.MALFORMED, VerificationStage.COLLATERAL):
                Collateral.from_json(text)
        with refused(Fault.MALFORMED, VerificationStage.COLLATERAL):
            Collateral.from_json(bytes(MAX_COLLATERAL_BYTES + 1))


class TestQuotingEnclave:
    @pytest.mark.parametrize(
        "qe",
        [
            {128: b"\xff"},
            {256: b"\2"},
            {16: b"\1"},
            {48: b"\2"},
            {63: b"\1"},
        ],
        ids=["signer", "product", "misc-select", "debug", "attributes"],
    )
    def test_any_other_enclave_on_the_platform_is_refused(self, qe):
        with refused(Fault.ENCLAVE_IDENTITY, VerificationStage.COLLATERAL):
            Recipe(qe=qe).verify()

    def test_bits_outside_the_masks_do_not_count(self):
        masked = {"attributesMask": "FB" + "FF" * 7 + "00" * 8}
        Recipe(qe={56: b"\xff"}, qe_identity=masked).verify()

    @pytest.mark.parametrize(
        ("svn", "status"),
        [(5, "UpToDate"), (4, "OutOfDate"), (2, "Unsupported")],
    )
    def test_an_old_one_makes_the_whole_old(self, svn, status):
        proven = Recipe(qe={258: bytes([svn, 0])}).verify()
        assert proven.tcb_status == status

    def test_a_revoked_one_is_refused(self):
        levels = [enclave_level("UpToDate", 6), enclave_level("Revoked", 1, "INTEL-SA-00001")]
        proven = Recipe(qe_identity={"tcbLevels": levels}).verify()
        assert proven.tcb_status is TcbStatus.REVOKED
        assert proven.advisories == ("INTEL-SA-00001",)
        with refused(Fault.TCB_STATUS, VerificationStage.APPRAISAL):
            appraise(proven, Acceptance())


class TestAttributes:
    def test_a_debuggable_enclave_is_authentic_and_refused(self):
        proven = Recipe(body={48: b"\7"}).verify()
        assert proven.debug
        with refused(Fault.DEBUG, VerificationStage.APPRAISAL):
            appraise(proven, Acceptance())
        appraise(proven, Acceptance(debug=True))

    @pytest.mark.parametrize("bit", range(8))
    def test_a_domain_under_debug_in_any_way_is_refused(self, bit):
        proven = Recipe(tee=TDX, version=4, body={120: bytes([1 << bit])}).verify()
        with refused(Fault.DEBUG, VerificationStage.APPRAISAL):
            appraise(proven, Acceptance())

    @pytest.mark.parametrize(
        ("body", "name", "fault"),
        [
            ({123: b"\0"}, "tdx.sept-ve-disable-off", Fault.ATTRIBUTES),
            ({123: b"\x30"}, "tdx.migratable", Fault.ATTRIBUTES),
            ({123: b"\x50"}, "tdx.pks", Fault.ATTRIBUTES),
            ({123: b"\x90"}, "tdx.key-locker", Fault.ATTRIBUTES),
            ({127: b"\x80"}, "tdx.perfmon", Fault.ATTRIBUTES),
            ({121: b"\1"}, "tdx.attribute-8", Fault.ATTRIBUTES),
            ({600: b"\xaa" * 48}, f"tdx.service-td={'aa' * 48}", Fault.MEASUREMENT),
        ],
    )
    def test_a_weak_domain_is_refused_unless_a_policy_names_the_weakness(self, body, name, fault):
        proven = Recipe(tee=TDX, version=5, td_15=True, body=body).verify()
        with refused(fault, VerificationStage.APPRAISAL):
            appraise(proven, Acceptance())
        appraise(proven, Acceptance(concerns=frozenset({name})))
        with refused(fault, VerificationStage.APPRAISAL):
            appraise(proven, Acceptance(concerns=frozenset({f"{name}1"})))


def verify(quote):
    return verify_dcap(quote, collateral=Recipe().collateral(), at=NOON, roots=ROOTS)
