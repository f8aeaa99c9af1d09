"""Event logs beside quotes: what they add to what is proven, and what they may not."""

import hashlib

import pytest

from support import cloud_evidence as clouds
from support.event_logs import SEPARATOR, agile, boot, extended, spec_id
from support.refused_evidence import refused
from support.throwaway_chain import NOON
from support.tpm_quotes import EC_KEY
from tabasco.appraisal.policy import AppraisalPolicy
from tabasco.verify import Fault, Proven, VerificationStage
from tabasco.verify.eventlog.beside import events_beside
from tabasco.verify.evidence import verify_evidence
from tabasco.verify.kinds import EvidenceKind
from tabasco.verify.means import Means
from tabasco.verify.proven import NO_END

SEPARATED, SHIM, GRUB = (hashlib.sha256(each).digest() for each in (bytes(4), b"shim", b"grub"))
REGISTERS = {
    4: extended("sha256", SEPARATED, SHIM, GRUB),
    5: extended("sha256", SEPARATED),
    10: b"\7" * 32,  # by IMA, of which the firmware's log says nothing
    11: bytes(32),
}


def verify(log=None, registers=REGISTERS):
    data = clouds.keylime({"sha256": registers})
    means = Means(keys={"*": EC_KEY.public_key()}, event_log=boot() if log is None else log)
    return verify_evidence(data, EvidenceKind.TPM, means=means, at=NOON)


def test_a_log_that_replays_tells_what_was_extended_and_nothing_of_other_registers():
    events = verify().events
    assert [event.digest for event in events["pcr4"]] == [SEPARATED, SHIM, GRUB]
    assert set(events) == {"pcr4", "pcr5", "pcr11"}
    assert events["pcr11"] == ()


def test_a_policy_cannot_be_told_that_nothing_was_extended_where_nobody_knows():
    text = (
        f"version = 1\n[tpm]\nmeasurements.pcr5 = ['{REGISTERS[5].hex()}']\n"
        "[tpm.events]\n%s = { sequence = [] }\n"
    )
    for name, refusal in (("pcr11", None), ("pcr10", "events.pcr10")):
        found = AppraisalPolicy.parse((text % name).encode()).evaluate(verify()).refused_by
        assert (found and found.name) == refusal


def test_a_log_of_another_boot_is_refused_with_the_event_that_departs():
    with refused(Fault.EVENT_LOG, VerificationStage.BINDING, match="PCR 4 of sha256"):
        verify(boot(programs=(b"shim", b"other")))
    with refused(Fault.EVENT_LOG, match="event 3 .* was not extended"):
        verify(registers={4: extended("sha256", SEPARATED, GRUB)})


def test_a_log_of_other_banks_or_beside_evidence_without_registers_is_refused():
    with refused(Fault.EVENT_LOG, match="digests of sha1, of which no register is proven"):
        verify(spec_id("sha1") + agile(4, SEPARATOR, bytes(4), "sha1"))
    proven = Proven(
        EvidenceKind.SGX, {"mrenclave": bytes(32)}, b"", debug=False, valid_until=NO_END
    )
    with refused(Fault.EVENT_LOG, match="sgx has no registers"):
        events_beside(boot(), proven)


@pytest.mark.parametrize("index", range(4))
def test_registers_of_tdx_are_counted_from_one_in_a_log(index):
    log = spec_id("sha384") + agile(index + 1, SEPARATOR, bytes(4), "sha384")
    value = extended("sha384", hashlib.sha384(bytes(4)).digest())
    rtmrs = {f"rtmr{n}": value if n == index else bytes(48) for n in range(4)}
    proven = Proven(EvidenceKind.TDX, rtmrs, b"", debug=False, valid_until=NO_END)
    events = events_beside(log, proven)
    assert len(events[f"rtmr{index}"]) == 1
    wrong = rtmrs | {f"rtmr{index}": bytes(48)}
    changed = Proven(EvidenceKind.TDX, wrong, b"", debug=False, valid_until=NO_END)
    with refused(Fault.EVENT_LOG, match=f"RTMR, counted from 1\\) {index + 1}"):
        events_beside(log, changed)
