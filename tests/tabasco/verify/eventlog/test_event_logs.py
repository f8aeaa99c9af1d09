import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.event_logs import (
    ACTION,
    LOCALITY,
    NO_ACTION,
    PROGRAM,
    SEPARATOR,
    agile,
    boot,
    extended,
    old,
    spec_id,
)
from support.refused_evidence import refused
from tabasco.verify import EvidenceError, Fault, VerificationStage
from tabasco.verify.eventlog.log import MAX_EVENTS, MAX_LOG_BYTES, is_event_log, parse_event_log
from tabasco.verify.eventlog.replay import check_log, differences, replay, replayed
from tabasco.verify.intel.quote import parse_quote

SHARED = Path(__file__).parents[5] / "shared" / "vectors"
needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="../shared/vectors is not there")
SEPARATED = hashlib.sha256(bytes(4)).digest()
SHIM, GRUB = (hashlib.sha256(each).digest() for each in (b"shim", b"grub"))


def shared_vectors():
    path = SHARED / "eventlog" / "expected.json"
    return json.loads(path.read_text())["vectors"] if path.exists() else []


def values(given):
    return {int(index): bytes.fromhex(value) for index, value in given.items()}


@needs_shared
@pytest.mark.parametrize("vector", shared_vectors(), ids=lambda vector: vector["id"])
def test_real_logs_replay_to_the_registers_they_were_recorded_with(vector):
    log = parse_event_log((SHARED / "eventlog" / vector["files"][0]).read_bytes())
    about = vector["parameters"]
    if "events" in about:
        assert len(log.events) == about["events"]
    if vector["id"].startswith("NEG-"):
        with refused(Fault.EVENT_LOG, VerificationStage.BINDING, match="PCR 4 of sha256"):
            check_log(log, values(about["pcrs"]["sha256"]), "sha256")
        return
    if vector["id"] == "short-no-action":
        with refused(Fault.EVENT_LOG, match="extends none"):
            check_log(log, {0: bytes(20)}, "sha1")
        return
    for bank, registers in about.get("pcrs", {}).items():
        check_log(log, values(registers), bank)
    if "rtmr" in about:
        check_log(log, {index + 1: each for index, each in values(about["rtmr"]).items()}, "sha384")
    if len(vector["files"]) == 2:
        quote = parse_quote((SHARED / "eventlog" / vector["files"][1]).read_bytes())
        registers = {index + 1: each for index, each in enumerate(quote.body.rtmrs)}
        if vector["verdict"] == "refuse":
            with refused(Fault.EVENT_LOG):
                check_log(log, registers, "sha384")
        else:
            check_log(log, registers, "sha384")


@needs_shared
def test_a_log_with_digests_of_sm3_is_read():
    log = parse_event_log((SHARED / "csv" / "ccel-csv.bin").read_bytes())
    assert log.banks == ("sm3",)
    assert len(log.events) == 83


def test_a_log_replays_to_what_its_digests_extend():
    log = parse_event_log(boot())
    assert replay(log, "sha256") == {
        4: extended("sha256", SEPARATED, SHIM, GRUB),
        5: extended("sha256", SEPARATED),
    }
    assert log.registers == (4, 5)
    assert [event.name for event in log.of(4)][:2] == [
        "EV_SEPARATOR",
        "EV_EFI_BOOT_SERVICES_APPLICATION",
    ]


def test_the_old_form_is_of_sha1_alone():
    data = old(0, SEPARATOR, bytes(4)) + old(7, ACTION, b"something")
    log = parse_event_log(data)
    assert log.banks == ("sha1",)
    digest = hashlib.sha1(b"something").digest()
    assert replay(log, "sha1")[7] == extended("sha1", digest)
    with refused(Fault.EVENT_LOG, match="no digests of sha256, it has sha1"):
        replay(log, "sha256")


def test_data_are_attested_only_where_they_hash_to_the_digest():
    separator, _, program, _ = parse_event_log(boot()).events[1:]
    assert separator.attested
    assert not program.attested
    none = parse_event_log(spec_id("sha256")).events[0]
    assert not none.extends


def test_an_event_that_only_informs_is_not_extended():
    data = boot() + agile(4, NO_ACTION, b"informs", "sha256")
    assert replay(parse_event_log(data), "sha256") == replay(parse_event_log(boot()), "sha256")


def test_what_only_informs_may_be_of_no_register():
    data = old(4, SEPARATOR, bytes(4)) + old(0xFFFFFFFF, NO_ACTION, b"WBCL")
    assert parse_event_log(data).registers == (4,)
    with refused(Fault.MALFORMED, match="register 4294967295"):
        parse_event_log(data + old(0xFFFFFFFF, SEPARATOR, b""))


@pytest.mark.parametrize("locality", [0, 3, 4])
def test_register_0_starts_with_the_locality_of_the_start(locality):
    data = boot() + agile(0, NO_ACTION, LOCALITY + bytes([locality]), "sha256")
    log = parse_event_log(data + agile(0, SEPARATOR, bytes(4), "sha256"))
    start = bytes(31) + bytes([locality])
    assert replayed(log, 0, "sha256") == extended("sha256", SEPARATED, start=start)
    assert replayed(log, 4, "sha256") == extended("sha256", SEPARATED, SHIM, GRUB)


@pytest.mark.parametrize("padding", [b"", b"\0" * 99, b"\xff" * 99])
def test_the_rest_of_the_area_may_be_zeros_or_ones(padding):
    assert len(parse_event_log(boot() + padding).events) == 5


class TestDeparture:
    def check(self, *digests):
        check_log(parse_event_log(boot()), {4: extended("sha256", *digests)}, "sha256")

    def test_the_refusal_names_the_event_that_was_not_extended(self):
        self.check(SEPARATED, SHIM, GRUB)
        with refused(Fault.EVENT_LOG, match=r"event 3 \(EV_EFI_BOOT.* was not extended"):
            self.check(SEPARATED, GRUB)

    def test_the_refusal_names_the_event_from_which_nothing_was_extended(self):
        with refused(Fault.EVENT_LOG, match=r"event 4 .* and what follows were not extended"):
            self.check(SEPARATED, SHIM)

    def test_otherwise_it_says_between_how_many(self):
        with refused(Fault.EVENT_LOG, match="one of its 3 events"):
            self.check(SEPARATED, SHIM, SHIM)

    def test_a_digest_that_only_another_bank_agrees_with_is_named(self):
        right = {bank: hashlib.new(bank, bytes(4)).digest() for bank in ("sha1", "sha256")}
        data = spec_id("sha1", "sha256") + agile(
            7, SEPARATOR, bytes(4), digests=right | {"sha256": SHIM}
        )
        with refused(Fault.EVENT_LOG, match=r"sha256 digest of event 1 \(EV_SEPARATOR\) is not"):
            check_log(parse_event_log(data), {7: extended("sha256", SEPARATED)}, "sha256")

    def test_a_log_that_says_nothing_of_the_registers_is_refused(self):
        with refused(Fault.EVENT_LOG, match="extends none"):
            check_log(parse_event_log(boot()), {0: bytes(32)}, "sha256")

    def test_registers_that_the_log_does_not_speak_of_are_not_looked_at(self):
        registers = {5: extended("sha256", SEPARATED), 10: b"\7" * 32}
        check_log(parse_event_log(boot()), registers, "sha256")

    def test_the_first_difference_to_a_log_seen_before_is_told_by_register(self):
        before, now = (parse_event_log(boot(programs=(b"shim", each))) for each in (b"a", b"b"))
        (found,) = differences(now, before, "sha256")
        assert found.startswith("register 4: event 4")
        (shorter,) = differences(parse_event_log(boot(programs=(b"shim",))), before, "sha256")
        assert shorter.startswith("register 4: nothing more, expected event 4")
        assert not list(differences(now, now, "sha256"))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        boot()[:-1],
        boot() + b"\0\1",
        old(32, SEPARATOR, b""),
        boot() + agile(4, SEPARATOR, b"", digests={"sha1": bytes(20)}),
        boot() + agile(4, SEPARATOR, b"", digests={"sha256": bytes(32), "sha1": bytes(20)}),
        spec_id("sha1", "sha256") + agile(4, SEPARATOR, b"", "sha1"),
        spec_id(),
        spec_id("sha256", "sha256"),
        spec_id("sha256", sizes={"sha256": 20}),
        spec_id("sha256", sizes={"sha256": 0}),
        boot() + agile(0, NO_ACTION, LOCALITY + b"\1", "sha256"),
        boot() + 2 * agile(0, NO_ACTION, LOCALITY + b"\3", "sha256"),
        old(0, SEPARATOR, b"")[:-4] + b"\xff\xff\xff\xff",
        old(0, SEPARATOR, b"x") * (MAX_EVENTS + 1),
        bytes(MAX_LOG_BYTES + 1),
    ],
    ids=range(16),
)
def test_what_is_not_a_log_is_refused(data):
    with refused(Fault.MALFORMED, VerificationStage.FORMAT):
        parse_event_log(data)


def test_a_log_of_another_specification_is_refused_by_its_version():
    with refused(Fault.UNSUPPORTED_VERSION, match=r"specification 3\.1"):
        parse_event_log(spec_id("sha256", version=(1, 3)))


def test_logs_are_told_from_other_bytes():
    damaged = boot()[:-1]
    old_form = old(0, SEPARATOR, bytes(4)) + old(4, PROGRAM, b"x")
    assert all(is_event_log(each) for each in (boot(), damaged, old_form))
    assert not any(is_event_log(each) for each in (b"", b"{}" * 40, bytes(31), b"\xff" * 64))


@given(st.integers(0, 8 * len(boot()) - 1))
def test_any_bit_changed_is_refused_or_in_data_that_nothing_attests(bit):
    changed = bytearray(boot())
    changed[bit // 8] ^= 1 << bit % 8
    registers = replay(parse_event_log(boot()), "sha256")
    try:
        log = parse_event_log(bytes(changed))
        check_log(log, registers, "sha256")
    except EvidenceError:
        return
    before = parse_event_log(boot())
    assert [each.digests for each in log.events[1:]] == [each.digests for each in before.events[1:]]


@given(st.binary(max_size=400))
def test_any_bytes_are_a_log_or_refused(data):
    try:
        parse_event_log(spec_id("sha256") + data)
    except EvidenceError:
        return
