"""The receipts of a computation, without an isolate: their numbers, their chain, how long kept."""

import pytest

from colima.runtime import ContentKind, RefusalReason
from mexico_city.computation import Job
from mexico_city.content import content_of
from mexico_city.errors import DeniedError
from mexico_city.inputs import Package, Slot
from mexico_city.receipts import EndedRun, ReceiptBook
from psa_attestation.receipts.receipt import PrivacyBalance, RunDetails, RunEnd
from psa_attestation.receipts.signing import sign_receipt
from psa_attestation.receipts.verification import closed_digest, verify_receipt
from support.computations import policy
from support.psa_tokens import DEVICE
from support.receipts import CERTIFICATE, DIGEST, SALT
from veracruz_utils.policy import IsolationLayer
from veracruz_utils.secret import Secret

POLICY = policy([["PiProvider"], ["DataProvider", "StreamProvider"], ["ResultReader"]], data=[1])
AUTHOR, PROVIDER, READER = POLICY.identities
MEASUREMENT = bytes(range(32))
DONE = EndedRun(RunEnd.FINISHED, return_code=0, output_digest=b"o" * 32, run_ms=4, fuel=9)


def package(kind, package_id, commitment):
    slot = Slot(kind, 1, package_id, 4)
    return Package(slot, content_of(b"data"), Secret(b"s" * 32), commitment)


JOB = Job(
    [package(ContentKind.DATA, 7, b"d" * 32)], [package(ContentKind.STREAM, 0, b"e" * 32)], None
)


def signing(receipt):
    return sign_receipt(receipt, DEVICE, CERTIFICATE, salt=SALT)


def new_book(of=POLICY, *, sign=signing, **how):
    return ReceiptBook(
        of,
        sign,
        measurement=MEASUREMENT,
        layers={IsolationLayer.SECCOMP, IsolationLayer.LANDLOCK},
        **({"host_time": lambda: 1_790_000_000.9} | how),
    )


def asked(book, number, member=READER, *, had=None):
    """The receipt that a member is given, who has had the results of some rounds, or of all."""
    return book.receipt(number, member, may_have=lambda turn: had is None or turn in had)


def read(signed):
    return verify_receipt(signed, certificate_digest=DIGEST)


def test_a_receipt_says_what_ran_where_on_what_and_for_whom():
    receipt = read(new_book().write(JOB, 1, DONE))
    assert receipt.policy_digest == POLICY.digest.value
    assert receipt.program_digest == POLICY.program_digest.value
    assert [(each.kind, each.client_id, each.package_id) for each in receipt.inputs] == [
        ("data", 1, 7),
        ("stream", 1, 0),
    ]
    assert [each.commitment for each in receipt.inputs] == [b"d" * 32, b"e" * 32]
    assert receipt.end is RunEnd.FINISHED
    assert receipt.details == RunDetails(0, b"o" * 32, 4, None)
    assert receipt.readers == (2,)
    assert receipt.isolation == ("landlock", "seccomp")
    assert receipt.measurement == MEASUREMENT
    assert receipt.strategy == POLICY.strategy.value
    assert receipt.engine.startswith("wasmtime ")
    assert receipt.debug is False
    assert receipt.host_time == 1_790_000_000


def test_whose_bits_nans_have_is_the_policys_choice():
    exact = policy([["PiProvider", "ResultReader"]], deterministic=True)
    assert not read(new_book().write(JOB, 1, DONE)).canonical_nans
    assert read(new_book(exact).write(JOB, 1, DONE)).canonical_nans


def test_fuel_is_told_if_the_policy_has_it_counted():
    metered = policy([["PiProvider", "ResultReader"]], limits={"fuel": 100})
    assert read(new_book(metered).write(Job([], [], None), 1, DONE)).details.fuel == 9


def test_what_is_left_of_the_privacy_budget_is_told():
    balance = PrivacyBalance("0.5", "0.5", "0", "0")
    report = EndedRun(RunEnd.FINISHED, return_code=0, run_ms=1, privacy=balance)
    assert read(new_book().write(JOB, 1, report)).privacy == balance


def test_receipts_are_numbered_and_each_names_the_one_before():
    book = new_book()
    signed = [book.write(JOB, 1, DONE) for _ in range(3)]
    found = [read(each) for each in signed]
    assert [each.number for each in found] == [1, 2, 3]
    before = [None, *(closed_digest(each) for each in signed[:2])]
    assert [each.previous_receipt for each in found] == before


def test_attempts_are_counted_in_each_round():
    book = new_book()
    lost = EndedRun(RunEnd.GUEST_LOST)
    runs = [(1, lost), (1, DONE), (2, lost), (2, lost), (2, DONE), (3, DONE)]
    found = [read(book.write(JOB, turn, report)) for turn, report in runs]
    assert [(each.round, each.attempt) for each in found] == [
        (1, 1),
        (1, 2),
        (2, 1),
        (2, 2),
        (2, 3),
        (3, 1),
    ]


def test_each_is_kept_for_whoever_asks():
    book = new_book()
    signed = [book.write(JOB, 1, DONE) for _ in range(3)]
    assert [asked(book, number) for number in (1, 2, 3)] == signed
    assert book.count == 3


def test_only_readers_have_it_with_the_details():
    book = new_book()
    opened = book.write(JOB, 1, DONE)
    assert asked(book, 1) == opened
    for member in (AUTHOR, PROVIDER):
        closed = asked(book, 1, member)
        assert read(closed).details is None
        assert closed_digest(closed) == closed_digest(opened)


def test_a_reader_has_it_with_the_details_of_rounds_whose_result_it_may_have():
    book = new_book()
    opened = [book.write(JOB, turn, DONE) for turn in (1, 1, 2, 3)]
    found = [asked(book, number, had={1, 3}) for number in (1, 2, 3, 4)]
    assert [found[0], found[1], found[3]] == [opened[0], opened[1], opened[3]]
    assert read(found[2]).details is None
    assert closed_digest(found[2]) == closed_digest(opened[2])


def test_under_debug_the_author_of_the_program_has_them_too():
    roles = [["PiProvider"], ["DataProvider"], ["ResultReader"]]
    told = policy(roles, data=[1], debug=True)
    book = new_book(told)
    opened = book.write(JOB, 1, DONE)
    assert asked(book, 1, told.identities[0]) == opened
    assert read(asked(book, 1, told.identities[1])).details is None


@pytest.mark.parametrize(("runs", "number"), [(0, 1), (2, 0), (2, 3), (2, 2**32 - 1)])
def test_one_that_there_is_not_is_refused(runs, number):
    book = new_book()
    for _ in range(runs):
        book.write(JOB, 1, DONE)
    with pytest.raises(DeniedError) as caught:
        asked(book, number)
    assert caught.value.answer.reason is RefusalReason.NOT_EXPECTED
    assert caught.value.answer.expected == ("1 to 2" if runs else "no run has ended yet")


@pytest.mark.parametrize(("spared", "kept"), [(0, 3), (1, 2)])
def test_of_too_many_the_newest_are_kept_and_the_chain_goes_on(spared, kept):
    made = []

    def sign(receipt):
        made.append(sign_receipt(receipt, DEVICE, CERTIFICATE, salt=SALT))
        return made[-1]

    measured = new_book(sign=sign)
    for _ in range(2):  # all but the first are of one size
        measured.write(JOB, 1, DONE)
    size = 512 + len(made[-1].protected) + len(made[-1].payload)
    book = new_book(kept_bytes=3 * size - spared)
    signed = [book.write(JOB, 1, DONE) for _ in range(20)]
    first = 21 - kept
    assert [asked(book, number) for number in range(first, 21)] == signed[-kept:]
    with pytest.raises(DeniedError) as caught:
        asked(book, first - 1)
    assert caught.value.answer.expected == f"{first} to 20"
    assert read(signed[-1]).previous_receipt == closed_digest(signed[-2])


def test_a_host_whose_clock_is_before_1970_stops_nobody():
    assert read(new_book(host_time=lambda: -5.0).write(JOB, 1, DONE)).host_time == 0
