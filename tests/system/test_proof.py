"""Agreeing, running and proving it, by the commands of each principal and against real services."""

import shutil

import pytest

from durango.bundles import ReceiptBundle
from psa_attestation.receipts.verification import closed_digest
from support.runtime_guests import COLLECTOR, FAILING, TRAPPING, WANTS_FOUR, calling
from support.stack import DATA, PI, RESULT, run
from veracruz_utils.digest import Digest
from veracruz_utils.policy import Limits, Strategy

NOISY = calling(("getrandom", 0, 64), ("read_input", 0, 64, 5), ("write_output", 0, 69))
"""Writes 64 random bytes and its input: no two runs come to the same, but by their seed."""

ROLES = [PI], [DATA], [RESULT]
DETERMINISTIC = {"deterministic": True}


def prepared(computation, *, data: bytes = b"input"):
    """The program and the only input are in; the file of the program."""
    program = computation.file(computation.program, "program.wasm")
    computation.durango("program send", program, client=0).done()
    source, opening = computation.file(data, "input.dat"), computation.folder / "opening"
    computation.durango("data send", source, "--opening", opening, client=1).done()
    return program


def test_from_the_signatures_to_the_same_result_on_another_day(stack):
    terms = {"consent": "all", **DETERMINISTIC}
    with stack.computation(*ROLES, data=[1], program=NOISY, terms=terms) as computation:
        folder = computation.folder
        program = computation.file(NOISY, "program.wasm")
        source = computation.file(b"input", "input.dat")
        computation.durango("program send", program, client=0).done()
        send = ("data send", source, "--opening", folder / "opening", "--receipt", folder / "sent")
        computation.durango(*send, client=1).refused(3, "consent missing", "durango policy sign")
        for client in range(3):
            words = ["policy", "sign", computation.policy_file, *computation.who(client)]
            run("durango", *words, "--output", folder / f"{client}.consent").done()
        signatures = [folder / f"{client}.consent" for client in range(3)]
        told = computation.durango("policy status", "--signature", signatures[1]).done().out
        assert "3 of 3 have to agree; missing: client 0, client 2" in told
        computation.durango("policy consent", *signatures, client=2).done()
        computation.durango(*send, "--force", client=1).done()
        get = ("result get", "--output", folder / "result", "--receipt", folder / "bundle")
        computation.durango(*get, client=2).done()
        computation.durango("receipt get", "--output", folder / "of-the-provider", client=1).done()
        assert computation.shut_down(2) == 0
    # The services of this computation are gone; what follows takes files alone.
    opening = ["--opening", folder / "opening"]
    verify = ["receipt", "verify", folder / "bundle", "--result", folder / "result", *opening]
    (receipt,) = run("durango", *verify, "--json").done().json["receipts"]
    assert receipt["output_digest"] == str(Digest.of((folder / "result").read_bytes()))
    replay = ["--program", program, "--input", source, *opening]
    again = ["replay", folder / "bundle", *replay, "--output", folder / "again"]
    told = run("durango", *again).done()
    assert told.out.startswith("the same: receipt 1, round 1, attempt 1: finished")
    assert (folder / "again").read_bytes() == (folder / "result").read_bytes()
    # The provider is no reader: its receipt is the same one, closed.
    verify[2] = folder / "of-the-provider"
    run("durango", *verify).refused(3, "the receipt is closed", "take one that a reader got")
    (closed,) = run("durango", *verify[:3], *opening, "--json").done().json["receipts"]
    assert (closed["open"], closed["output_digest"], closed["return_code"]) == (False, None, None)
    assert closed["inputs"] == receipt["inputs"]
    assert "the receipt is closed" in run("durango", "replay", verify[2], *replay).done().err
    run("durango", "receipt", "verify", folder / "sent").refused(3, "its attestation holds")


@pytest.mark.parametrize("strategy", list(Strategy))
def test_fuel_is_the_same_too(stack, strategy):
    with stack.computation(
        *ROLES, data=[1], program=NOISY, strategy=strategy,
        limits=Limits(fuel=1_000_000), terms=DETERMINISTIC,
    ) as computation:  # fmt: skip
        program = prepared(computation)
        folder = computation.folder
        get = ("result get", "--output", folder / "result", "--receipt", folder / "bundle")
        assert computation.durango(*get, "--json", client=2).done().json["receipt"]["fuel"] > 0
    words = ["replay", folder / "bundle", "--program", program, "--input", folder / "input.dat"]
    run("durango", *words).done()


def test_a_run_of_other_files_is_refused_and_a_run_that_differs_says_in_what(stack):
    with stack.computation(*ROLES, data=[1], program=NOISY, terms=DETERMINISTIC) as computation:
        program = prepared(computation)
        folder = computation.folder
        computation.durango(
            "result get", "--output", folder / "result", "--receipt", folder / "bundle", client=2
        ).done()
    replay = ["replay", folder / "bundle", "--program", program]
    source, other = folder / "input.dat", computation.file(b"INPUT", "other.dat")
    opening = ["--opening", folder / "opening"]
    run("durango", *replay, "--input", other, *opening).refused(3, "other.dat has digest")
    run("durango", *replay, "--input", other).refused(
        1, "nothing shows that the program saw this", "comes to something else: output is"
    )
    run("durango", *replay).refused(3, "the program saw 1 inputs of kind data, 0 files are given")
    run("durango", "replay", folder / "bundle", "--program", source, "--input", source).refused(
        3, "input.dat has digest", "the receipt's program is"
    )
    run("durango", *replay, "--input", source, "--number", "2").refused(1, "no receipt 2")
    run("durango", *replay, "--input", source, "--previous", source).refused(
        3, "no previous result in the first round"
    )


def test_a_later_round_takes_the_result_of_the_one_before(stack):
    terms = {"rounds": 2, **DETERMINISTIC}
    with stack.computation(*ROLES, data=[1], program=COLLECTOR, terms=terms) as computation:
        program = prepared(computation)
        folder = computation.folder
        for turn in (1, 2):
            output = folder / f"result-{turn}"
            computation.durango("result get", "--output", output, client=2).done()
            if turn == 1:
                computation.durango("round next", client=2).done()
        computation.durango("receipt get", "--output", folder / "last", client=2).done()
        get = ("receipt get", "--all", "--output")
        computation.durango(*get, folder / "all", client=2).done()
        computation.durango(*get, folder / "closed", client=1).done()
    files = ["--program", program, "--input", folder / "input.dat"]
    run("durango", "replay", folder / "all", *files).refused(1, "give it with --previous")
    previous = ["--previous", folder / "result-1"]
    run("durango", "replay", folder / "last", *files, *previous).refused(1, "receipt get --all")
    run("durango", "replay", folder / "closed", *files, *previous).refused(1, "that a reader got")
    run("durango", "replay", folder / "all", *files, *previous).done()
    run("durango", "replay", folder / "all", *files, "--number", "1").done()
    run("durango", "replay", folder / "all", *files, "--previous", program).refused(
        3, "the result of round 1 had"
    )


@pytest.mark.parametrize(
    ("program", "ended", "code"),
    [(FAILING, "error code", ", return code -4"), (TRAPPING, "trapped", ", on data")],
)
def test_a_run_that_failed_is_kept_verified_and_done_again(stack, program, ended, code):
    with stack.computation(*ROLES, data=[1], program=program, terms=DETERMINISTIC) as computation:
        file = prepared(computation)
        folder = computation.folder
        computation.durango(
            "result get", "--output", folder / "result", "--receipt", folder / "bundle", client=2
        ).refused(1)
        computation.durango("receipt get", "--output", folder / "by-provider", client=1).done()
    assert not (folder / "result").exists()
    for bundle, more in ((folder / "bundle", code), (folder / "by-provider", ", on data")):
        told = run("durango", "receipt", "verify", bundle).done().out
        assert f"receipt 1, round 1, attempt 1: {ended}{more}" in told
        words = ["replay", bundle, "--program", file, "--input", folder / "input.dat"]
        run("durango", *words).done()


def test_a_run_whose_numbers_are_gone_is_not_done_again(stack):
    with stack.computation(*ROLES, data=[1], program=NOISY) as computation:
        program = prepared(computation)
        folder = computation.folder
        computation.durango(
            "result get", "--output", folder / "result", "--receipt", folder / "bundle", client=2
        ).done()
    words = ["replay", folder / "bundle", "--program", program, "--input", folder / "input.dat"]
    run("durango", *words).refused(1, "the policy does not say deterministic")


def test_every_member_has_every_receipt_of_attempts_and_rounds(stack):
    with stack.computation(*ROLES, data=[1], program=COLLECTOR, terms={"rounds": 3}) as computation:
        prepared(computation)
        folder = computation.folder
        for turn in range(3):
            if turn:
                computation.durango("round next", client=2).done()
            computation.durango("result get", "--output", folder / f"{turn}", client=2).done()
        for client in range(3):
            file = folder / f"receipts-{client}"
            computation.durango("receipt get", "--all", "--output", file, client=client).done()
    bundles = [ReceiptBundle.parse((folder / f"receipts-{each}").read_bytes()) for each in range(3)]
    assert bundles[0].receipts == bundles[1].receipts
    digests = [[closed_digest(each) for each in bundle.receipts] for bundle in bundles]
    assert digests[0] == digests[2]
    moved = shutil.move(folder / "receipts-0", folder / "elsewhere")
    found = run("durango", "receipt", "verify", moved, "--json").done().json
    assert [each["round"] for each in found["receipts"]] == [1, 2, 3]


def test_attempts_have_receipts_of_their_own_and_of_what_was_replaced(stack):
    terms = {"attempts": 2, **DETERMINISTIC}
    with stack.computation(*ROLES, data=[1], program=WANTS_FOUR, terms=terms) as computation:
        program = prepared(computation, data=b"not four bytes")
        folder = computation.folder
        get = ("result get", "--output", folder / "result", "--receipt", folder / "of-the-first")
        computation.durango(*get, client=2).refused(1, "error code -4")
        computation.durango(*get, "--force", client=2).refused(1, "error code -4")
        mended = computation.file(b"four", "mended.dat")
        again = ("--replace", "--opening", folder / "mended.opening")
        computation.durango("data send", mended, *again, client=1).done()
        computation.durango("result get", "--output", folder / "result", client=2).done()
        computation.durango("receipt get", "--all", "--output", folder / "all", client=2).done()
    opening, other = ["--opening", folder / "opening"], ["--opening", folder / "mended.opening"]
    verify = ["receipt", "verify", folder / "all"]
    found = run("durango", *verify, *opening, *other, "--json").done().json["receipts"]
    assert [(each["number"], each["attempt"], each["end"]) for each in found] == [
        (1, 1, "error code"),
        (2, 2, "finished"),
    ]
    assert found[0]["inputs"] != found[1]["inputs"]
    first = ["receipt", "verify", folder / "of-the-first"]
    run("durango", *first, *opening).done()
    run("durango", *first, *other).refused(3, "commitment to data package 0")
    replay = ["replay", folder / "all", "--program", program]
    files = ["--input", folder / "input.dat", *opening]
    run("durango", *replay, "--number", "1", *files).done()
    run("durango", *replay, "--input", mended, *other).done()
    run("durango", *replay, *files).refused(3, "commitment to data package 0")


def test_a_consent_that_was_taken_back_stops_the_run_and_not_what_is_in(stack):
    terms = {"consent": [1]}
    with stack.computation(*ROLES, data=[1], program=NOISY, terms=terms) as computation:
        folder = computation.folder
        words = ["policy", "sign", computation.policy_file, *computation.who(1)]
        run("durango", *words, "--output", folder / "consent").done()
        computation.durango("policy consent", folder / "consent", client=2).done()
        prepared(computation)
        computation.durango("policy revoke", client=1).done()
        get = ("result get", "--output", folder / "result")
        computation.durango(*get, client=2).refused(3, "consent missing", "1 of client 1")
        computation.durango("policy consent", folder / "consent", client=2).refused(
            3, "have its principal hand it in again"
        )
        computation.durango("policy consent", folder / "consent", client=1).done()
        computation.durango(*get, client=2).done()
        computation.durango("policy revoke", client=1).refused(1, "a run has begun")
