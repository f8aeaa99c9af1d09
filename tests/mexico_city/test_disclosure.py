"""What is held against the policy's `result`, without an isolate around it."""

import os
import time
from fractions import Fraction

import pytest

from colima.runtime import ContentKind, RefusalReason
from mexico_city.content import Sealing, anonymous_file
from mexico_city.disclosure import Disclosure, WithheldError
from mexico_city.errors import DeniedError
from platform_services import ServiceUnavailableError
from platform_services.seeded import SeededRandomSource
from psa_attestation.receipts.receipt import PrivacyBalance
from support.computations import package, policy
from support.processes import no_more_files
from veracruz_utils.encoding.pinecone import decode, encode, parse_type

ROLES = [["PiProvider"], ["DataProvider", "StreamProvider"], ["DataProvider"], ["ResultReader"]]
LAPLACE = {"mechanism": "laplace", "epsilon": "0.1", "total_epsilon": "0.25", "sensitivity": "2"}
GAUSSIAN = LAPLACE | {"mechanism": "gaussian", "delta": "0.001", "total_delta": "0.002"}


def disclosure(result, *, random=None, clock=time.monotonic, **terms):
    random = random or SeededRandomSource(bytes(32))
    return Disclosure(policy(ROLES, result=result, **terms), random, clock)


def written(data):
    file = anonymous_file()
    os.write(file, data)
    return Sealing(file, size=len(data), limit=1 << 20)


def released(found, data, *, succeeded=True, wrote=True):
    releasing = found.release(written(data), succeeded=succeeded, wrote=wrote)
    for _ in range(1000):
        content = releasing.step()
        if content is not None:
            return content.read(0, content.size)
    raise AssertionError("it does not end")


def withheld(found, data, **how):
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - as a path it would open one more
    with pytest.raises(WithheldError) as error:
        released(found, data, **how)
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
    return error.value.rule


def test_what_the_policy_says_nothing_of_is_released_as_it_is():
    found = disclosure({})
    assert released(found, b"anything") == b"anything"
    assert released(found, b"", wrote=False) == b""
    assert found.balance is None
    assert not found.private
    found.require_run([], [])
    found.pay()


def test_a_result_may_have_as_many_bytes_as_the_policy_says_and_no_more():
    found = disclosure({"bytes": 4})
    assert released(found, b"four") == b"four"
    assert withheld(found, b"fives") == "the result is larger than 4 bytes"


def test_a_result_is_of_the_policys_type():
    found = disclosure({"type": "Vec<bool>"})
    assert released(found, b"\2\1\0") == b"\2\1\0"
    for wrong in (b"", b"\2\1", b"\2\1\2", b"\2\1\0\0"):
        assert withheld(found, wrong) == "the result is not of type Vec<bool>"


def test_a_type_that_is_long_is_not_told_whole():
    found = disclosure({"type": "(" + "bool, " * 100 + "bool)"})
    assert len(withheld(found, b"")) < 160


def test_no_result_is_none_of_the_policys_type():
    rule = "there is no result, Vec<bool> was due"
    assert withheld(disclosure({"type": "Vec<bool>"}), b"", wrote=False) == rule


def test_a_step_ends_when_its_time_is_over_and_goes_on_with_the_next():
    ticks = iter(range(10**6))
    found = disclosure({"type": "Vec<bool>"}, clock=lambda: next(ticks) * 0.003)
    releasing = found.release(written(b"\x80\x80\x02" + bytes(1 << 15)), succeeded=True, wrote=True)
    steps = 1
    while (content := releasing.step()) is None:
        steps += 1
    content.close()
    assert 1 < steps < 10  # of 128 parts, 16 at a time, of which a step has time for seven


def test_a_result_that_takes_too_long_to_look_through_is_withheld():
    ticks = iter(range(10**6))
    data = b"\x80\x80\x02" + bytes(1 << 15)
    for seconds in (1, 60):
        limits = {"limits": {"run_seconds": seconds}}
        found = disclosure({"type": "Vec<bool>"}, clock=lambda: next(ticks) * 15.0, **limits)
        assert withheld(found, data) == "looking through the result takes too long"
    found = disclosure(
        {"type": "Vec<bool>"}, clock=lambda: next(ticks) * 15.0, limits={"run_seconds": 600}
    )
    assert released(found, data) == data


def test_a_failed_run_is_not_looked_at():
    found = disclosure({"type": "Vec<bool>", "bytes": 1})
    assert released(found, b"leftovers", succeeded=False) == b"leftovers"


@pytest.mark.parametrize("privacy", [LAPLACE, GAUSSIAN], ids=["laplace", "gaussian"])
def test_numbers_get_noise_and_nothing_else_changes(privacy):
    kind = parse_type("Vec<(u8, i64)>")
    found = disclosure({"type": str(kind), "privacy": privacy})
    value = [(100, 10**9)] * 20
    noisy = decode(kind, released(found, encode(kind, value)))
    assert len(noisy) == 20
    assert len({large for _, large in noisy}) > 1
    assert all(abs(large - 10**9) < 10**6 for _, large in noisy)
    assert withheld(found, b"\1") == "the result is not of type Vec<(u8, i64)>"


def test_a_failed_run_gets_no_noise():
    found = disclosure({"type": "u64", "privacy": LAPLACE})
    assert released(found, b"leftovers", succeeded=False) == b"leftovers"


def test_without_random_bytes_nothing_is_released():
    class Empty:
        def fill(self, size):
            raise ServiceUnavailableError("none now")

    found = disclosure({"type": "u64", "privacy": LAPLACE}, random=Empty())
    assert withheld(found, bytes(8)) == "there are no random bytes for its noise now"


def test_without_room_for_its_noise_nothing_is_released():
    found = disclosure({"type": "u64", "privacy": LAPLACE})
    releasing = found.release(written(bytes(8)), succeeded=True, wrote=True)
    with no_more_files(), pytest.raises(WithheldError) as error:
        releasing.step()
    assert error.value.rule == "there is no room for its noise now"


def test_releases_are_paid_until_the_budget_does_not_pay_for_another():
    found = disclosure({"type": "u64", "privacy": GAUSSIAN})
    assert found.balance == PrivacyBalance("0", "0.25", "0", "0.002")
    for _ in range(2):
        found.require_run([], [])
        found.pay()
    assert found.balance == PrivacyBalance("0.2", "0.05", "0.002", "0")
    with pytest.raises(DeniedError) as refused:
        found.require_run([], [])
    answer = refused.value.answer
    assert answer.reason is RefusalReason.BUDGET_SPENT
    assert answer.found == "epsilon 0.05, delta 0 left of the privacy budget"
    assert answer.expected == "epsilon 0.1, delta 0.001 for a release"
    assert Fraction(found.balance.epsilon_left) == Fraction(1, 20)


def test_contributors_are_principals_with_an_input_that_is_not_empty():
    found = disclosure({"contributors": 2}, data=[1, 1, 2], streams=[1])
    stream = package(1, 0, ContentKind.STREAM, b"x")

    def inputs(*contents):
        owners = (1, 1, 2)
        return [
            package(owner, number, ContentKind.DATA, content)
            for number, (owner, content) in enumerate(zip(owners, contents, strict=True))
        ]

    found.require_run(inputs(b"", b"x", b"x"), [stream])
    found.require_run(inputs(b"", b"", b"x"), [stream])
    for contents in ((b"x", b"x", b""), (b"", b"", b"")):
        with pytest.raises(DeniedError) as refused:
            found.require_run(inputs(*contents), [stream])
        assert refused.value.answer.reason is RefusalReason.TOO_FEW_CONTRIBUTORS
        assert refused.value.answer.found == "1 principals gave an input that is not empty"
        assert refused.value.answer.expected == "at least 2"


@pytest.mark.parametrize(
    ("kind", "given", "counts"),
    [
        ("opaque", b"", False),
        ("opaque", b"\0", True),
        ("Vec<u8>", b"\0", False),
        ("String", b"\0", False),
        ("Option<u8>", b"\0", False),
        ("HashMap<u8, u8>", b"\0", False),
        ("u8", b"\0", True),
        ("Vec<u8>", b"\1\0", True),
        ("Vec<u8>", b"\0\0", True),  # of another type, and not empty
        ("Vec<u8>", b"\7", True),
        ("Vec<u8>", b"", False),
    ],
)
def test_an_input_is_empty_by_its_type(kind, given, counts):
    found = disclosure({"contributors": 1}, data=[1], inputs=[{"type": kind}])
    inputs = [package(1, 0, ContentKind.DATA, given)]
    if counts:
        found.require_run(inputs, [])
        return
    with pytest.raises(DeniedError):
        found.require_run(inputs, [])


def test_a_release_that_is_given_up_leaves_nothing_behind():
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    found = disclosure({"type": "Vec<bool>"})
    releasing = found.release(written(b"\2\1\0"), succeeded=True, wrote=True)
    releasing.close()
    releasing = found.release(written(b"\2\1\0"), succeeded=True, wrote=True)
    assert releasing.step() is None
    releasing.close()
    releasing.close()
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
