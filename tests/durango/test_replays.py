"""Doing a run again, without services: what differs, and what cannot be done again."""

from dataclasses import replace
from pathlib import Path

import pytest

from baja import make_certificate
from colima.runtime import ContentKind
from durango import CommitmentOpening, ContentError, Evidence, ReceiptError, judge
from durango.bundles import ReceiptBundle, verify_bundle
from durango.errors import ReplayError
from durango.replay_files import ReplayFiles
from durango.replays import replay
from execution_engine.strategy import engine_version
from platform_services.seeded import SeededRandomSource
from psa_attestation.receipts.receipt import (
    InputCommitment,
    Receipt,
    RunDetails,
    RunEnd,
    commit,
)
from psa_attestation.receipts.signing import sign_receipt
from psa_attestation.receipts.verification import closed_digest
from support.principal_rig import DAY, MEASUREMENT, Attester, Rig, key_der, now
from support.runtime_guests import ENDLESS, FAILING, RANDOM, SILENT, TRAPPING, calling
from veracruz_utils.digest import Digest
from veracruz_utils.policy import RUNTIME_LAYERS, Limits
from veracruz_utils.secret import Secret

ATTESTER = Attester()
ISOLATE = make_certificate(name="isolate", not_before=now() - DAY, not_after=now() + DAY)
CHALLENGE, SEED, SALT = b"c" * 32, bytes(range(32)), b"s" * 32
FAILED = {"end": RunEnd.TRAPPED, "details": RunDetails()}


def said_of(output: bytes | None = None, *, fuel: int | None = None, code: int = 0) -> dict:
    """What a receipt says of a run that returned."""
    end = RunEnd.ERROR_CODE if code else RunEnd.FINISHED
    return {"end": end, "details": RunDetails(code, output, 1, fuel)}


MIXING = calling(("getrandom", 0, 32), ("read_input", 0, 32, 4), ("write_output", 0, 36))


class Run:
    """A run of `program` on one input, and its bundle with what a receipt says of it."""

    def __init__(self, folder: Path, program: bytes, *, data: bytes = b"data", limits=None) -> None:
        self.program, self.data = folder / "program", folder / "data"
        self.program.write_bytes(program)
        self.data.write_bytes(data)
        self.digest = Digest.of(data)
        self.policy = Rig(ATTESTER).policy(
            program_digest=Digest.of(program),
            data_provision_order=[1],
            limits=limits,
            terms={"deterministic": True, "rounds": 3},
        )

    def bundle(self, *changes: dict):
        """Verified, with a receipt for each of `changes`, in a chain."""
        signed: list[bytes] = []
        for number, change in enumerate(changes, start=1):
            receipt = replace(self.receipt(), number=number, **self._after(signed) | change)
            key, certificate = ISOLATE.private_key, ISOLATE.certificate
            signed.append(sign_receipt(receipt, key, certificate, salt=SALT).opened)
        at = now()
        token = ATTESTER.token(ATTESTER.claims(CHALLENGE, ISOLATE.certificate, self.policy.digest))
        result = ATTESTER.result(ATTESTER.ear(token, CHALLENGE, at))
        key = key_der(ATTESTER.tabasco_key)
        attestation = judge(Evidence(CHALLENGE, token, result), self.policy, tabasco_key=key, at=at)
        return verify_bundle(ReceiptBundle.of(signed, attestation, self.policy))

    def receipt(self) -> Receipt:
        return Receipt(
            policy_digest=self.policy.digest.value,
            program_digest=self.policy.program_digest.value,
            number=1,
            previous_receipt=None,
            round=1,
            attempt=1,
            inputs=(InputCommitment(1, 0, "data", commit(SALT, self.digest.value)),),
            readers=(2,),
            strategy="JIT",
            engine=engine_version(),
            debug=False,
            isolation=tuple(sorted(RUNTIME_LAYERS)),
            measurement=MEASUREMENT,
            host_time=1,
            seed=SEED,
            **said_of(),
        )

    def _after(self, signed: list[bytes]) -> dict:
        return {"previous_receipt": closed_digest(signed[-1])} if signed else {}

    @property
    def files(self) -> ReplayFiles:
        return ReplayFiles(self.program, [self.data], [], None)

    @property
    def opening(self) -> CommitmentOpening:
        return CommitmentOpening(1, 0, ContentKind.DATA, self.digest, Secret(SALT))


def digest_of_mixing(data: bytes = b"data") -> bytes:
    return Digest.of(SeededRandomSource(SEED).fill(32) + data).value


def test_the_same_run_is_the_same(tmp_path):
    run = Run(tmp_path, MIXING)
    found = replay(run.bundle(said_of(digest_of_mixing())), run.files, openings=[run.opening])
    assert found.differences == ()
    assert found.unproven == ()
    assert Digest.of(found.output).value == digest_of_mixing()


def test_an_input_without_its_opening_is_named_as_unproven(tmp_path):
    run = Run(tmp_path, MIXING)
    found = replay(run.bundle(said_of(digest_of_mixing())), run.files)
    assert found.unproven == (f"{run.data} as data package 0 of client 1",)


@pytest.mark.parametrize(
    ("program", "said", "differences"),
    [
        (MIXING, said_of(b"x" * 32), ["output is"]),
        (MIXING, {}, ["in the receipt"]),
        (SILENT, said_of(b"x" * 32), ["output is none here"]),
        (FAILING, {}, ["end is error code here", "return code is -4 here, 0 in the receipt"]),
        (FAILING, said_of(code=-4), []),
        (FAILING, said_of(code=-5), ["return code is -4 here, -5"]),
        (TRAPPING, FAILED, []),
        (TRAPPING, {}, ["end is trapped here, finished", "return code is none here, 0"]),
        (RANDOM, FAILED, ["end is finished here, trapped", "return code is 0 here", "output is"]),
    ],
)
def test_what_differs_is_said(tmp_path, program, said, differences):
    run = Run(tmp_path, program)
    found = replay(run.bundle(said), run.files)
    assert len(found.differences) == len(differences)
    for line, words in zip(found.differences, differences, strict=True):
        assert words in line


def test_fuel_is_compared_between_the_same_engines_alone(tmp_path):
    run = Run(tmp_path, SILENT, limits=Limits(fuel=1000))
    (difference,) = replay(run.bundle(said_of(fuel=999)), run.files).differences
    assert difference.endswith("here, 999 in the receipt")
    assert (
        replay(run.bundle(said_of(fuel=999) | {"engine": "wasmtime 1"}), run.files).differences
        == ()
    )


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"seed": None}, "does not say deterministic"),
        (FAILED | {"end": RunEnd.LIMIT_REACHED}, "ended by limit reached"),
        (FAILED | {"end": RunEnd.GUEST_LOST}, "ended by guest lost"),
        (said_of() | {"end": RunEnd.WITHHELD}, "ended by withheld"),
    ],
)
def test_a_run_that_cannot_be_done_again_is_not(tmp_path, said, why):
    run = Run(tmp_path, SILENT)
    with pytest.raises(ReplayError, match=why):
        replay(run.bundle(said), run.files)


def test_one_that_does_not_end_in_time_here_says_what_to_do(tmp_path):
    run = Run(tmp_path, ENDLESS)
    with pytest.raises(ReplayError, match="--seconds"):
        replay(run.bundle({}), run.files, seconds=0.05)


def test_a_program_that_this_engine_refuses_is_named_so(tmp_path):
    run = Run(tmp_path, b"no module")
    with pytest.raises(ReplayError, match="does not run the program"):
        replay(run.bundle({}), run.files)


def test_files_that_are_not_the_receipts_are_refused(tmp_path):
    run, other = Run(tmp_path, MIXING), tmp_path / "other"
    other.write_bytes(b"other")
    bundle = run.bundle(said_of(digest_of_mixing()))
    for files, why in (
        (replace(run.files, program=other), "the receipt's program is"),
        (replace(run.files, inputs=[other]), "other has digest"),
        (replace(run.files, inputs=[]), "saw 1 inputs of kind data, 0 files"),
        (replace(run.files, streams=[other]), "saw 0 inputs of kind stream, 1 files"),
        (replace(run.files, previous=other), "no previous result in the first round"),
    ):
        with pytest.raises(ReceiptError, match=why):
            replay(bundle, files, openings=[run.opening])
    with pytest.raises(ReceiptError, match="commitment to data package 0"):
        replay(bundle, run.files, openings=[replace(run.opening, digest=Digest.of(b"x"))])
    for name in ("program", "inputs"):
        gone = tmp_path / "gone"
        files = replace(run.files, **{name: gone if name == "program" else [gone]})
        with pytest.raises(ContentError, match="gone cannot be read"):
            replay(bundle, files)


def test_an_empty_input_is_an_input(tmp_path):
    run = Run(tmp_path, RANDOM, data=b"")
    said = said_of(Digest.of(SeededRandomSource(SEED).fill(32)).value)
    assert replay(run.bundle(said), run.files, openings=[run.opening]).differences == ()


def test_after_a_round_without_a_result_the_previous_one_is_empty(tmp_path):
    has_previous = calling(("has_previous_result", 0), ("write_output", 0, 4))
    run = Run(tmp_path, has_previous)
    said = {"round": 2} | said_of(Digest.of((1).to_bytes(4, "little")).value)
    bundle = run.bundle(FAILED, {"attempt": 2}, said)
    assert replay(bundle, run.files).differences == ()
    with pytest.raises(ReplayError, match="no receipt of round 1"):
        replay(run.bundle(FAILED, said), run.files)


def test_the_receipt_is_chosen_by_its_number(tmp_path):
    run = Run(tmp_path, SILENT)
    bundle = run.bundle({}, {"attempt": 2} | said_of(code=-1))
    assert replay(bundle, run.files, number=1).differences == ()
    assert replay(bundle, run.files).receipt.number == 2
    with pytest.raises(ReplayError, match="no receipt 3"):
        replay(bundle, run.files, number=3)
