"""How a computation ends by its policy, and who may still do what until then: real processes."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509

from durango import PolicyExpiredError, Principal, RequestRefusedError
from jalisco import IsolateRefusedError
from support.patience import PATIENCE_S
from support.processes import eventually, runs
from support.runtime_guests import COLLECTOR, HELLO
from support.stack import DATA, PI, RESULT, new_party
from veracruz_utils.policy import Limits

SHORT = timedelta(seconds=12)


def wait_until(moment: datetime) -> None:
    while datetime.now(UTC) <= moment:
        time.sleep(0.1)


def ask_for_good(principal: Principal) -> None:
    while True:
        principal.state()
        time.sleep(0.05)


def test_the_end_of_a_policy_is_told_to_everybody_and_is_no_failure(stack):
    with stack.computation(
        [PI], [DATA], [RESULT], program=COLLECTOR, data=[1, 1], expires_in=SHORT
    ) as computation:
        expiry = f"the policy expired at {computation.policy.expires_at:%Y-%m-%dT%H:%M:%SZ}"
        computation.send_program()
        processes = [computation.front, computation.guest]
        with computation.connect(1) as provider:
            provider.send_data(0, b"a secret")
            with pytest.raises((RequestRefusedError, PolicyExpiredError), match=expiry):
                ask_for_good(provider)
        assert computation.sinaloa.wait(PATIENCE_S) == 0
        assert computation.sinaloa.last_words.splitlines()[-1] == f"sinaloa: done: {expiry}"
        assert eventually(lambda: not any(map(runs, processes)))
        told = computation.durango("status", client=2).refused(3, f"durango: {expiry}, and its")
        assert "start it with" not in told.partition("(")[0]
    stack.serve_somebody()


def test_a_computation_that_nobody_comes_back_to_ends_by_its_policy(stack):
    limits = Limits(idle_seconds=2)
    with stack.computation([PI, RESULT], program=HELLO, limits=limits) as computation:
        computation.send_program()
        assert computation.sinaloa.wait(PATIENCE_S) == 0
        assert computation.sinaloa.last_words.splitlines()[-1] == (
            "sinaloa: done: nobody had a session for as long as the policy allows "
            "(idle_seconds = 2)"
        )
        assert eventually(lambda: not runs(computation.front))
    stack.serve_somebody()


def test_the_end_of_one_certificate_is_the_end_of_that_principal_alone(stack):
    parties = [new_party("author"), new_party("provider", lifetime=SHORT), new_party("reader")]
    roles = [[PI], [DATA, RESULT], [RESULT]]
    with stack.computation(*roles, parties=parties, program=COLLECTOR, data=[1]) as computation:
        computation.send_program()
        with computation.connect(1) as provider:
            provider.send_data(0, b"data")
            certificate = x509.load_der_x509_certificate(parties[1].certificate)
            wait_until(certificate.not_valid_after_utc)
            provider.state()  # in a session that it has
        out = computation.folder / "result"
        assert "READY_TO_EXECUTE" in computation.durango("status", client=2).done().out
        computation.durango("result get", "--output", out, client=2).done()
        assert out.read_bytes()
        computation.durango("status", client=1).refused(3, "expired at", "make a new identity")
        # The isolate decides that for itself.
        with pytest.raises(IsolateRefusedError), computation.caller(1) as caller:
            caller.state()
        computation.durango("shutdown", client=2).done()
        computation.durango("data send", computation.file(b"x"), client=1).refused(3, "expired")
    stack.serve_somebody()
