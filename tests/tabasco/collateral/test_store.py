"""The collateral store: what gets in, what is found for which time, and how it travels."""

import contextlib
import hashlib
import io
import json
import multiprocessing
import zipfile
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from support import nvidia_devices as nvidia
from support.dcap_evidence import PLATFORM_CA, PROCESSOR_CA, TDX, Recipe, text_of, window
from support.dcap_evidence import ROOTS as INTEL_ROOTS
from support.evidence_mutation import changed_bytes
from support.evidence_seeds import FEBRUARY, JUNE, OWN
from support.refused_evidence import refused
from support.snp_evidence import MILAN, TURIN
from support.snp_evidence import ROOTS as AMD_ROOTS
from support.snp_evidence import Recipe as Report
from support.throwaway_chain import NOON, revocation_list
from tabasco.cli import main
from tabasco.collateral import ItemKind, Store, StoredCollateral, Trust, read_snapshot
from tabasco.collateral.items import read_item
from tabasco.collateral.snapshot import write_snapshot
from tabasco.errors import TabascoError
from tabasco.verify import EvidenceError, Fault, VerificationStage, hardware
from tabasco.verify.amd.snp import verify_snp
from tabasco.verify.intel.dcap import verify_dcap
from tabasco.verify.means import Means

DAY = timedelta(days=1)
TRUST = Trust(INTEL_ROOTS, AMD_ROOTS)
SUBJECT = "sgx/00606a000000/platform"
REAL_SGX = OWN / "sgx/intel-2025-06_sgx_00a06711.json"
REAL_TDX = OWN / "tdx/intel-2025-06_tdx_b0c06f.json"
REAL_MILAN = OWN / "snp/amd-milan-ask-ark-asvk.pem"


def issued(days, evaluation=17, *, end=3, tee=0):
    """Collateral issued so many days from NOON."""
    statement = {**window(start=days, end=end), "tcbEvaluationDataNumber": evaluation}
    return text_of(Recipe(tee=tee, tcb_info=statement, qe_identity=statement).collateral())


def pem(line):
    return b"".join(each.pem for each in (line.ask, line.ark, line.asvk))


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "collateral", trust=TRUST)


def keep(store, *contents):
    return store.add([(str(number), each) for number, each in enumerate(contents)], at=NOON)


class TestWhatGetsIn:
    def test_collateral_is_kept_with_its_window_and_found_within_it(self, store):
        data = issued(-0.5)
        (entry,) = keep(store, data)
        assert (entry.kind, entry.subject, entry.evaluation) == (ItemKind.INTEL, SUBJECT, 17)
        assert (entry.start, entry.end) == (NOON - DAY / 2, NOON + DAY)  # the lists end first
        assert store.find(ItemKind.INTEL, SUBJECT, entry.end) == data
        for outside in (entry.start - timedelta(seconds=1), entry.end + timedelta(seconds=1)):
            assert store.find(ItemKind.INTEL, SUBJECT, outside) is None

    def test_platforms_kinds_and_authorities_are_told_apart(self, store):
        processor = Recipe(pck_issuer=PROCESSOR_CA).collateral()
        keep(store, issued(-1), issued(-1, tee=TDX), text_of(processor))
        assert [each.subject for each in store.entries()] == [
            SUBJECT, "sgx/00606a000000/processor", "tdx/00606a000000/platform",
        ]  # fmt: skip

    def test_what_nobody_trusted_signed_is_refused(self, tmp_path):
        with refused(Fault.UNKNOWN_ROOT, VerificationStage.COLLATERAL):
            keep(Store(tmp_path), issued(-1))  # trusts Intel, and not us
        assert Store(tmp_path).entries() == []

    @pytest.mark.parametrize(
        ("change", "fault"),
        [
            ({"tcb_info_signature": "00" * 64}, Fault.COLLATERAL_SIGNATURE),
            ({"pck_crl": revocation_list(PLATFORM_CA, key=PROCESSOR_CA.key).hex()},
             Fault.COLLATERAL_SIGNATURE),
            ({"pck_crl": revocation_list(PROCESSOR_CA).hex()}, Fault.COLLATERAL_MISMATCH),
            ({"pck_crl": "00"}, Fault.MALFORMED),
        ],
    )  # fmt: skip
    def test_every_part_is_verified(self, store, change, fault):
        with refused(fault, VerificationStage.COLLATERAL):
            keep(store, text_of(Recipe(collateral_changes=change).collateral()))

    def test_parts_that_were_never_valid_together_are_refused(self, store):
        with refused(
            Fault.EXPIRED, VerificationStage.COLLATERAL
        ):  # the lists ended before the statements
            keep(store, issued(2))

    def test_lists_and_keys_of_amd_need_their_authorities_in_any_order(self, store):
        vlek, vcek = Report(kind="VLEK"), Report()
        listed = revocation_list(MILAN.ark)
        with refused(Fault.COLLATERAL_MISSING, VerificationStage.COLLATERAL):
            keep(store, vcek.certificate())
        keep(store, vlek.certificate(), listed, vcek.certificate(), pem(MILAN))
        kinds = [each.kind for each in store.entries()]
        assert kinds == ["amd-authorities", "amd-crl", "amd-key", "amd-key"]
        keep(store, Report(line=TURIN).certificate(), pem(TURIN))

    def test_a_forged_key_or_foreign_authorities_are_refused(self, store):
        keep(store, pem(MILAN))
        forged = Report(signer=TURIN.ask.key).certificate()
        with refused(Fault.CHAIN):
            keep(store, forged)
        with refused(Fault.UNKNOWN_ROOT):
            keep(store, REAL_MILAN.read_bytes())
        with refused(Fault.UNKNOWN_ROOT):
            keep(store, MILAN.ask.pem + MILAN.asvk.pem)

    @given(st.binary(max_size=200), st.sampled_from([b"", b"{", b"0", b"-----BEGIN"]))
    def test_arbitrary_bytes_give_our_error(self, data, start):
        with pytest.raises(EvidenceError):
            read_item(start + data, trust=TRUST, authorities=lambda _: [pem(MILAN)])

    def test_real_collateral_changed_at_random_is_refused_in_our_own_words(self):
        authorities = REAL_MILAN.read_bytes()
        real = [REAL_SGX.read_bytes(), authorities, (OWN / "snp/milan-v3-vcek.pem").read_bytes()]
        for case in range(200):
            random = Random(case)
            data = changed_bytes(random, random.choice(real), real)
            with contextlib.suppress(EvidenceError):
                read_item(data, trust=Trust(), authorities=lambda _: [authorities])

    def test_all_of_it_is_kept_or_nothing(self, store):
        with refused(Fault.MALFORMED):
            keep(store, issued(-1), b"{}")
        assert store.entries() == []

    @pytest.mark.parametrize("data", [b"", b"x", b"{", b"\x30\x00", b"-----BEGIN", b"\x30\x82"])
    def test_what_is_no_collateral_is_refused(self, store, data):
        with refused(Fault.MALFORMED):
            keep(store, data)

    def test_twice_is_once(self, store):
        data = issued(-1)
        keep(store, data, data)
        keep(store, data)
        assert len(store.entries()) == 1


class TestRollback:
    def test_a_lower_number_issued_later_is_not_let_in(self, store):
        keep(store, issued(-0.8, 18))
        with refused(Fault.COLLATERAL_ROLLBACK, VerificationStage.COLLATERAL):
            keep(store, issued(-0.5, 17))
        keep(store, issued(-0.9, 17))  # of before, for evidence of before

    def test_a_lower_number_that_was_let_in_before_is_not_used_afterwards(self, store):
        keep(store, issued(-0.5, 17))
        keep(store, issued(-0.8, 18))
        found = store.find(ItemKind.INTEL, SUBJECT, NOON)
        assert json.loads(json.loads(found)["tcb_info"])["tcbEvaluationDataNumber"] == 18

    def test_it_does_not_count_as_something_newer(self, store):
        keep(store, issued(-0.5, 17, end=3))
        keep(store, issued(-0.8, 18, end=0.5))
        assert store.ends(NOON) == {(ItemKind.INTEL, SUBJECT): NOON + DAY / 2}

    def test_it_is_remembered_when_the_item_is_forgotten(self, store):
        keep(store, issued(-0.8, 18))
        assert len(store.prune(before=NOON + 9 * DAY)) == 1
        assert store.entries() == []
        with refused(Fault.COLLATERAL_ROLLBACK):
            keep(store, issued(-0.5, 17))

    def test_the_newest_of_one_number_is_used(self, store):
        older, newer = issued(-0.9), issued(-0.2)
        keep(store, newer, older)
        assert store.find(ItemKind.INTEL, SUBJECT, NOON) == newer
        assert store.find(ItemKind.INTEL, SUBJECT, NOON - DAY / 2) == older


class TestLookup:
    def test_a_quote_finds_its_collateral(self, store):
        recipe = Recipe()
        keep(store, text_of(recipe.collateral()))
        found = StoredCollateral(store).for_quote(recipe.quote(), NOON)
        assert verify_dcap(recipe.quote(), collateral=found, at=NOON, roots=INTEL_ROOTS)

    def test_what_has_ended_and_what_was_never_there_are_told_apart(self, store):
        recipe = Recipe()
        with refused(Fault.COLLATERAL_MISSING, VerificationStage.COLLATERAL):
            StoredCollateral(store).for_quote(recipe.quote(), NOON)
        keep(store, text_of(recipe.collateral()))
        with refused(Fault.COLLATERAL_EXPIRED, VerificationStage.COLLATERAL):
            StoredCollateral(store).for_quote(recipe.quote(), NOON + 30 * DAY)

    @pytest.mark.parametrize(
        "report",
        [Report(), Report(version=2), Report(kind="VLEK"), Report(line=TURIN, version=5)],
    )
    def test_a_report_finds_its_certificates(self, store, report):
        source, certificate = StoredCollateral(store), report.certificate()
        keep(store, pem(MILAN), pem(TURIN))
        with refused(Fault.COLLATERAL_MISSING, VerificationStage.COLLATERAL):
            source.for_report(report.report(), NOON, certificate=None)
        brought = source.for_report(report.report(), NOON, certificate=certificate)
        assert (brought.key, brought.crl) == (certificate, None)
        keep(store, certificate, revocation_list(report.line.ark))
        found = source.for_report(report.report(), NOON, certificate=None)
        assert found.key == certificate
        proven = verify_snp(report.report(), endorsements=found, at=NOON, roots=AMD_ROOTS)
        assert proven.warnings == ()  # the list was there

    def test_a_list_that_was_kept_has_to_be_current(self, store):
        keep(store, pem(MILAN), Report().certificate(), revocation_list(MILAN.ark))
        source, report = StoredCollateral(store), Report().report()
        for at in (NOON + 2 * DAY, NOON + 300 * DAY):
            with refused(Fault.COLLATERAL_EXPIRED, VerificationStage.COLLATERAL):
                source.for_report(report, at, certificate=None)
        assert source.for_report(report, NOON - 9 * DAY, certificate=None).crl is None

    def test_pruning_does_not_do_away_with_the_need_for_a_list(self, store):
        lists = [revocation_list(MILAN.ark), revocation_list(MILAN.ark, 7)]
        keep(store, pem(MILAN), Report().certificate(), *lists, issued(-1))
        source, report = StoredCollateral(store), Report().report()
        later = NOON + 2 * DAY
        assert {each.kind for each in store.prune(before=later)} == {
            ItemKind.INTEL, ItemKind.AMD_CRL,
        }  # fmt: skip
        for _ in range(2):
            with refused(Fault.COLLATERAL_EXPIRED, VerificationStage.COLLATERAL):
                source.for_report(report, later, certificate=None)
            assert store.prune(before=later) == []

    def test_who_brings_certificates_along_is_held_to_the_list_that_is_kept(self, store):
        report = Report()
        chain = report.endorsements()
        given = Means(
            certificate=chain.key,
            authorities=chain.authorities,
            source=StoredCollateral(store),
        )
        keep(store, pem(MILAN))
        report.verify(endorsements=hardware.endorsements_for(report.report(), given, NOON))
        keep(store, revocation_list(MILAN.ark, MILAN.ask.certificate.serial_number))
        with refused(Fault.REVOKED):
            report.verify(endorsements=hardware.endorsements_for(report.report(), given, NOON))


class TestDisk:
    def test_a_file_that_was_changed_is_not_used(self, store):
        (entry,) = keep(store, issued(-1))
        (store.path / "objects" / entry.sha256).write_bytes(b"{}")
        with pytest.raises(TabascoError, match="was changed"):
            store.find(ItemKind.INTEL, SUBJECT, NOON)

    @pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 2}', '{"items": [{}]}',
                                      '{"extra": 1}'])  # fmt: skip
    def test_an_index_that_was_changed_is_not_used(self, store, text):
        keep(store, issued(-1))
        (store.path / "index.json").write_text(text)
        with pytest.raises(TabascoError, match="damaged"):
            store.entries()

    def test_writers_do_not_lose_what_others_wrote(self, store):
        pieces = [issued(-1 - number) for number in range(4)]
        context = multiprocessing.get_context("fork")
        writers = [context.Process(target=keep, args=(store, each)) for each in pieces]
        for each in writers:
            each.start()
        for each in writers:
            each.join()
        assert len(store.entries()) == 4


def archive(**members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in members.items():
            made.writestr(name, data)
    return buffer.getvalue()


class TestSnapshots:
    def test_a_snapshot_carries_everything(self, store, tmp_path):
        keep(store, issued(-1), pem(MILAN), Report().certificate())
        data = write_snapshot(store)
        assert data == write_snapshot(store)
        other = Store(tmp_path / "other", trust=TRUST)
        other.add(read_snapshot(data), at=NOON)
        assert [each.sha256 for each in other.entries()] == [
            each.sha256 for each in store.entries()
        ]

    def test_nothing_in_it_is_trusted(self, store, tmp_path):
        keep(store, issued(-1))
        with refused(Fault.UNKNOWN_ROOT):
            Store(tmp_path / "other").add(read_snapshot(write_snapshot(store)), at=NOON)

    @pytest.mark.parametrize(
        "data",
        [
            lambda: b"PK\3\4",
            lambda: b"PK\5\6" + bytes(18),
            lambda: archive(**{"../../etc/passwd": b"x"}),
            lambda: archive(**{"index.json": b"{}"}),
            lambda: archive(**{"objects/" + "0" * 64: b"not its content"}),
            lambda: archive(**{"objects/" + "0" * 64: bytes(17 << 20)}),
            lambda: archive(**{f"objects/{number:064}": b"" for number in range(10_001)}),
        ],
        ids=["cut", "empty", "path", "name", "digest", "large", "many"],
    )
    def test_a_snapshot_that_is_more_than_it_should_be_is_refused(self, data):
        made = data()
        with pytest.raises(TabascoError, match=r"snapshot|objects"):
            read_snapshot(made)

    @given(st.binary(max_size=200), st.sampled_from([b"", b"PK\3\4", b"PK\5\6"]))
    def test_arbitrary_bytes_give_our_error(self, data, start):
        with pytest.raises(TabascoError):
            read_snapshot(start + data)

    def test_a_snapshot_changed_at_random_is_refused_in_our_own_words(self):
        data = archive(**{f"objects/{hashlib.sha256(b).hexdigest()}": b for b in (b"a", b"b" * 99)})
        for case in range(300):
            changed = changed_bytes(Random(case), data, [data])
            with contextlib.suppress(TabascoError):
                assert all(
                    name == f"objects/{hashlib.sha256(content).hexdigest()}"
                    for name, content in read_snapshot(changed)
                )

    def test_a_size_that_lies_is_found_out(self, store):
        keep(store, issued(-1))
        data = bytearray(write_snapshot(store))
        directory = data.rindex(b"PK\1\2")
        data[directory + 24 : directory + 28] = (10).to_bytes(4, "little")
        with pytest.raises(TabascoError):
            read_snapshot(bytes(data))


class TestCommands:
    @pytest.fixture
    def run(self, tmp_path):
        def invoke(*arguments, status=0):
            environment = {"TABASCO_COLLATERAL_STORE": str(tmp_path / "kept")}
            done = CliRunner().invoke(main, [*map(str, arguments)], env=environment)
            assert done.exit_code == status, done.output + done.stderr
            return done

        return invoke

    def test_imported_collateral_verifies_quotes_of_its_time(self, run):
        quote = OWN / "tdx/tdx-v4-b0c06f.bin"
        bare = run("verify", quote, "--at", JUNE, "--json", status=3)
        assert json.loads(bare.stdout)["refusal"]["reason"] == "collateral-missing"
        told = run("collateral", "import", REAL_TDX, REAL_SGX).stdout
        assert "tdx/b0c06f000000/platform" in told
        run("verify", quote, "--at", JUNE)
        late = run("verify", quote, "--at", FEBRUARY, "--json", status=3)
        assert json.loads(late.stdout)["refusal"]["reason"] == "collateral-expired"

    def test_a_report_needs_no_options_then(self, run):
        run("collateral", "import", OWN / "snp/milan-v3-vcek.pem", REAL_MILAN)
        run("verify", OWN / "snp/milan-v3.bin", "--at", "2026-03-01")
        run("verify", OWN / "snp/turin-v5.bin", "--at", "2026-03-01", status=3)

    def test_a_snapshot_goes_out_and_in(self, run, tmp_path):
        snapshot = tmp_path / "snapshot.zip"
        assert "import some first" in run("collateral", "export", snapshot, status=1).stderr
        run("collateral", "import", REAL_SGX, REAL_MILAN)
        run("collateral", "export", snapshot)
        assert "--force" in run("collateral", "export", snapshot, status=1).stderr
        other = ["--store", tmp_path / "other"]
        run("collateral", "import", snapshot, *other)
        listed = json.loads(run("collateral", "list", "--json", *other).stdout)["items"]
        assert [each["kind"] for each in listed] == ["amd-authorities", "intel"]

    def test_what_ends_soon_is_said_in_time(self, run):
        run("collateral", "import", REAL_SGX)
        end = datetime(2025, 7, 19, tzinfo=UTC)
        for at, status in ((end - 20 * DAY, 0), (end - 2 * DAY, 1), (end + 2 * DAY, 1)):
            found = run("collateral", "check", "--at", at, "--json", status=status)
            stale = json.loads(found.stdout)["stale"]
            assert len(stale) == status
            assert ("fetch or import it again" in found.stderr) is bool(status)
        assert "expired" in run("collateral", "list").stdout
        assert "1 deleted" in run("collateral", "prune").stdout
        assert "no collateral" in run("collateral", "list").stdout

    def test_a_store_with_nothing_in_it_is_not_one_where_all_is_well(self, run, tmp_path):
        elsewhere = tmp_path / "mistyped"
        told = run("collateral", "check", "--store", elsewhere, status=1).stderr
        assert f"there is no collateral in {elsewhere}" in told

    def test_what_is_not_believed_is_named(self, run, tmp_path):
        file = tmp_path / "foreign.json"
        file.write_bytes(issued(-1))
        told = run("collateral", "import", REAL_SGX, file, status=1).stderr
        assert "nothing was imported: unknown-root" in told
        assert "foreign.json" in told


class TestNvidia:
    def test_reference_values_are_found_by_chip_and_version(self, tmp_path):
        kept = Store(tmp_path / "store", trust=Trust(nvidia=nvidia.ROOTS))
        driver, firmware = nvidia.Rim().sign(), nvidia.FIRMWARE_RIM.sign()
        kept.add([("driver", driver), ("firmware", firmware)], at=NOON)
        source = StoredCollateral(kept)
        both = {("GH100", nvidia.DRIVER), ("GH100", nvidia.VBIOS.lower())}
        assert source.manifests_for(both, NOON) == [driver, firmware]
        assert source.manifests_for({("GB100", nvidia.DRIVER), ("GH100", "1.2")}, NOON) == []
        assert source.manifests_for(both, NOON + 1000 * DAY) == []

    @pytest.mark.parametrize(
        ("change", "fault"),
        [
            (lambda data: data.replace(b"580.95.05", b"580.95.06"), Fault.SIGNATURE),
            (lambda _: b"<a/>", Fault.UNSIGNED),
            (lambda _: b"<", Fault.MALFORMED),
        ],
    )
    def test_those_that_nvidia_did_not_sign_are_not_kept(self, tmp_path, change, fault):
        kept = Store(tmp_path / "store", trust=Trust(nvidia=nvidia.ROOTS))
        with refused(fault, VerificationStage.COLLATERAL):
            kept.add([("rim", change(nvidia.Rim().sign()))], at=NOON)
        assert not kept.entries()

    def test_those_of_another_root_or_strange_name_are_not_kept(self, tmp_path):
        with refused(Fault.UNKNOWN_ROOT, VerificationStage.COLLATERAL):
            Store(tmp_path / "store").add([("rim", nvidia.Rim().sign())], at=NOON)
        kept = Store(tmp_path / "store", trust=Trust(nvidia=nvidia.ROOTS))
        with refused(Fault.UNKNOWN_ROOT, VerificationStage.COLLATERAL):
            kept.add([("rim", nvidia.Rim(version="../x").sign())], at=NOON)
