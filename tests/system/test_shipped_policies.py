"""What the original's tests did with its shipped policies, as they were and as they are today."""

import json
import struct
import threading
from contextlib import contextmanager

import pytest

from colima.runtime import ComputationState
from durango import RequestFailedError
from sdk.examples.named_types import SCHEMAS
from support.patience import PATIENCE_S
from support.shipped_policies import SHAPES, party_of_2021, party_of_today, program_of
from veracruz_utils.encoding.pinecone import decode_to_json, encode_from_json
from veracruz_utils.policy import PolicyFormat, Role, Strategy

NEXT_INPUT = {
    ComputationState.INITIAL: Role.PI_PROVIDER,
    ComputationState.DATA_SOURCES_LOADING: Role.DATA_PROVIDER,
    ComputationState.STREAM_SOURCES_LOADING: Role.DATA_PROVIDER,
}
LINE = [(1.0, 3.5), (2.0, 5.5), (3.0, 7.5), (4.0, 9.5)]  # y = 2 x + 1.5
VIEWERS = [("clare", "3", 39, 54), ("bob", "1", 20, 1), ("dora", "7", 61, 9)]
CUSTOMERS = [("dora", "7", 61, 9), ("bob", "2", 20, 1), ("clare", "3", 39, 54)]


@pytest.fixture(params=["2021", "today"])
def start(request, stack):
    """Start the computation of a shipped policy, with keys, TLS and strategy of the time."""
    then = request.param == "2021"

    @contextmanager
    def starting(name):
        shape = SHAPES[name]
        with stack.computation(
            *shape.members.values(),
            program=program_of(shape),
            parties=[(party_of_2021 if then else party_of_today)(who) for who in shape.members],
            data=shape.data,
            streams=shape.streams,
            debug=shape.debug,
            port=shape.port,
            policy_format=PolicyFormat.VERACRUZ_2021 if then else PolicyFormat.CURRENT,
            strategy=Strategy.INTERPRETATION if then else Strategy.JIT,
        ) as computation:
            yield computation

    return starting


def provide_program(computation, client=0):
    """Send it, with what the original's clients looked at before and after."""
    with computation.connect(client) as author:
        assert author.policy_digest() == computation.policy.digest
        assert author.state().state is ComputationState.INITIAL
        assert author.program_digest() is None
        author.send_program(computation.program)
        assert author.program_digest() == computation.policy.program_digest


def provide_data(computation, client, content, package_id=0):
    with computation.connect(client) as provider:
        assert provider.state().state is ComputationState.DATA_SOURCES_LOADING
        assert provider.program_digest() == computation.policy.program_digest
        provider.send_data(package_id, content)


def read(computation, client):
    """The result, twice: it is kept for whoever asks again."""
    with computation.connect(client) as reader:
        assert reader.state().state in {
            ComputationState.READY_TO_EXECUTE,
            ComputationState.FINISHED_EXECUTING,
        }
        result, outcome = reader.result()
        assert reader.state().state is ComputationState.FINISHED_EXECUTING
        again, outcome_again = reader.result()
    assert (again, outcome_again.signed_receipt) == (result, outcome.signed_receipt)
    return result


def encoded(name, value):
    return encode_from_json(SCHEMAS[name].kind, json.dumps(value).encode())


def decoded(name, data):
    return json.loads(decode_to_json(SCHEMAS[name].kind, data))


def people(rows):
    names = ("name", "employee_id", "age", "grade")
    return encoded("people", [dict(zip(names, row, strict=True)) for row in rows])


def in_both(result):
    return {tuple(person.values()) for person in decoded("people", result)}


def numbers(data):
    return struct.unpack(f"<{len(data) // 8}d", data)


# One client, as in phase 1 of the original's plan.


def test_one_client_gets_random_bytes(start):
    with start("get_random") as computation:
        provide_program(computation)
        assert len(set(read(computation, 0))) > 8
        assert computation.shut_down(0) == 0


def test_one_client_has_a_line_fitted(start):
    with start("one_data_source") as computation:
        provide_program(computation)
        provide_data(computation, 0, encoded("points", LINE))
        assert numbers(read(computation, 0)) == (2.0, 1.5)


def test_the_result_waits_for_the_datum(start):
    with start("one_data_source") as computation:
        provide_program(computation)
        with pytest.raises(RequestFailedError, match="DATA_SOURCES_LOADING"):
            computation.result(0)


def test_one_client_compares_two_texts(start):
    with start("two_data_source_string_edit_distance") as computation:
        provide_program(computation)
        provide_data(computation, 0, b"MARTHA", 0)
        provide_data(computation, 0, b"MARHTA", 1)
        assert numbers(read(computation, 0)) == (pytest.approx(0.961111, abs=1e-6),)


def test_one_client_intersects_two_sets(start):
    with start("two_data_source_private_set_intersection") as computation:
        provide_program(computation)
        provide_data(computation, 0, people(CUSTOMERS), 1)
        provide_data(computation, 0, people(VIEWERS), 0)
        assert in_both(read(computation, 0)) == set(VIEWERS) & set(CUSTOMERS)


# Several clients.


def test_two_clients_have_a_line_fitted(start):
    with start("dual") as computation:
        provide_program(computation, 0)
        provide_data(computation, 1, encoded("points", LINE))
        assert numbers(read(computation, 1)) == (2.0, 1.5)
        assert computation.shut_down(1) == 0


def test_two_clients_act_at_the_same_time(start):
    with start("dual_parallel") as computation:
        results = []

        def provide_and_read():
            with computation.connect(1) as client:
                client.wait_for(ComputationState.DATA_SOURCES_LOADING, timeout_s=PATIENCE_S)
                client.send_data(0, encoded("points", LINE))
                results.append(client.result()[0])

        other = threading.Thread(target=provide_and_read)
        other.start()
        provide_program(computation, 0)
        other.join(PATIENCE_S)
        assert [numbers(result) for result in results] == [(2.0, 1.5)]


def test_two_readers_read_and_both_have_to_ask_for_the_end(start):
    with start("triple") as computation:
        provide_program(computation, 0)
        provide_data(computation, 1, encoded("points", LINE))
        assert numbers(read(computation, 2)) == numbers(read(computation, 1)) == (2.0, 1.5)
        with computation.connect(1) as reader:
            reader.shutdown()
        assert computation.state(0) is ComputationState.FINISHED_EXECUTING
        assert computation.shut_down(2) == 0


@pytest.mark.parametrize(
    ("policy", "order"),
    [
        ("triple_parties_two_data_sources_sum", (1, 2)),
        ("permuted_triple_parties_two_data_sources_sum", (2, 1)),
    ],
)
def test_two_sets_intersect_in_whichever_order_they_come(start, policy, order):
    sets = {1: VIEWERS, 2: CUSTOMERS}
    with start(policy) as computation:
        provide_program(computation, 0)
        for client in order:
            provide_data(computation, client, people(sets[client]))
        result = read(computation, 2)
    # Whichever came first: input 0 is that of client 1, whose order the intersection keeps.
    both = [person for person in VIEWERS if person in CUSTOMERS]
    assert [tuple(person.values()) for person in decoded("people", result)] == both


def test_three_clients_compare_two_texts(start):
    with start("triple_parties_two_data_sources_string_edit_distance") as computation:
        provide_program(computation, 0)
        provide_data(computation, 1, b"DIXON")
        provide_data(computation, 2, b"DICKSONX")
        assert numbers(read(computation, 2)) == (pytest.approx(0.813333, abs=1e-6),)


def test_four_clients_compare_two_texts_for_the_fourth(start):
    with start("quadruple") as computation:
        provide_program(computation, 0)
        provide_data(computation, 1, b"MARTHA")
        provide_data(computation, 2, b"MARHTA")
        assert numbers(read(computation, 3)) == (pytest.approx(0.961111, abs=1e-6),)
        assert computation.shut_down(3) == 0


# Streams.


def test_a_sum_goes_on_over_ten_rounds(start):
    with start("number-stream-accumulation") as computation:
        provide_program(computation)
        provide_data(computation, 0, struct.pack("<d", 100))
        total = 100.0
        with computation.connect(0) as client:
            for turn in range(1, 11):
                assert client.state().state is ComputationState.STREAM_SOURCES_LOADING
                assert client.state().round == turn
                client.send_stream(0, struct.pack("<d", turn))
                client.send_stream(1, struct.pack("<d", 0.5))
                total += turn + 0.5
                result, outcome = client.result()
                assert numbers(result) == (total,)
                assert outcome.receipt.round == turn
                if turn < 10:
                    client.next_round()
        assert computation.shut_down(0) == 0


def test_a_round_waits_for_both_streams(start):
    with start("number-stream-accumulation") as computation:
        provide_program(computation)
        provide_data(computation, 0, struct.pack("<d", 1))
        with computation.connect(0) as client:
            client.send_stream(0, struct.pack("<d", 1))
            with pytest.raises(RequestFailedError, match="STREAM_SOURCES_LOADING"):
                client.result()
            client.send_stream(1, struct.pack("<d", 1))
            assert numbers(client.result()[0]) == (3.0,)


@pytest.mark.parametrize("count", [2, 3])
def test_streams_wait_for_the_datum(start, count):
    with start("number-stream-accumulation") as computation:
        provide_program(computation)
        with computation.connect(0) as client:
            for package_id in range(count):
                with pytest.raises(RequestFailedError, match="DATA_SOURCES_LOADING"):
                    client.send_stream(package_id, struct.pack("<d", 1))
            assert client.state().state is ComputationState.DATA_SOURCES_LOADING
