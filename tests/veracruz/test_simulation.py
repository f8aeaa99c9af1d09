"""What a simulation is made of: values, places filled, and a report that hides nothing."""

import socket
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given

from durango import Identity
from sdk.examples import EXAMPLES, programs
from support.patience import PATIENCE_S
from support.typed_values import TYPES
from veracruz.errors import SimulationError
from veracruz.simulation.dishonesty import tamperer
from veracruz.simulation.making import made_value
from veracruz.simulation.materials import gather
from veracruz.simulation.report import Attempt, Noticed, Report
from veracruz.simulation.stand_in import require_current
from veracruz_utils.address import Address
from veracruz_utils.digest import Digest
from veracruz_utils.encoding.pinecone import decode, encode, parse_type
from veracruz_utils.policy import (
    LINUX_SOFTWARE,
    TLS_1_2_SUITES,
    TLS_1_3_SUITES,
    AcceptedPlatform,
    Limits,
    Policy,
    PolicyFormat,
    PolicyIdentity,
    Role,
    Strategy,
)
from veracruz_utils.policy.rendering import render_policy
from veracruz_utils.public_keys import der_of

NOW = datetime.now(UTC)
MEASURED = frozenset({bytes(32)})
OTHER = b"\0asm\1\0\0\0"
ROWS = "Vec<{id: String, amount: u8}>"


@pytest.fixture(scope="module")
def everybody():
    """The certificate of the one who is in these policies."""
    return Identity.create("everybody", not_before=NOW, lifetime=timedelta(days=1)).certificate


@pytest.fixture
def policy_of(everybody):
    """A function that makes a policy of one principal, for inputs of these names and types."""

    def make(*inputs, program=OTHER, streams=(), **how):
        of_2021 = how.get("policy_format") is PolicyFormat.VERACRUZ_2021
        terms = {
            "inputs": [{"name": name, "type": kind} for name, kind in inputs],
            "streams": [{"name": name, "type": kind} for name, kind in streams],
        }
        key = der_of(ec.generate_private_key(ec.SECP256R1()).public_key())
        raw = render_policy(
            at=NOW,
            identities=[PolicyIdentity(0, everybody, frozenset(Role))],
            sinaloa=Address("127.0.0.1", 3011),
            tabasco=Address("127.0.0.1", 3010),
            tabasco_key=None if of_2021 else key,
            expires_at=NOW + timedelta(hours=1),
            ciphersuite=(TLS_1_2_SUITES if of_2021 else TLS_1_3_SUITES)[0],
            platforms=[AcceptedPlatform("sgx" if of_2021 else LINUX_SOFTWARE, MEASURED)],
            data_provision_order=[0 for _ in inputs],
            streaming_order=[0 for _ in streams],
            program_digest=Digest.of(program),
            strategy=Strategy.JIT,
            terms=None if of_2021 else terms,
            **how,
        )
        return Policy.parse(raw, at=NOW)

    return make


def gathered(policy, *, program=None, files=None, mock=True, size=20, rounds=1):
    return gather(
        policy, program=program, files=files or {}, mock=mock, seed=1, size=size, rounds=rounds
    )


@pytest.fixture
def module(tmp_path):
    path = tmp_path / "module.wasm"
    path.write_bytes(OTHER)
    return path


@given(TYPES)
def test_of_every_type_a_value_is_made_that_encodes_and_the_seed_says_which(kind):
    made = made_value(kind, Random(3), size=5)
    encoded = encode(kind, made)
    assert encode(kind, decode(kind, encoded)) == encoded
    assert encode(kind, made_value(kind, Random(3), size=5)) == encoded


def test_a_list_has_as_many_elements_as_are_asked_for():
    assert len(made_value(parse_type(ROWS), Random(1), size=17)) == 17


def test_a_type_whose_values_are_all_huge_is_refused():
    with pytest.raises(SimulationError, match="has at least 1099511627776 bytes"):
        made_value(parse_type("[[u8; 1048576]; 1048576]"), Random(1), size=1)


def test_a_value_of_too_many_parts_is_refused_while_it_is_made():
    with pytest.raises(SimulationError, match="more than 500000 parts"):
        made_value(parse_type("Vec<[[u8; 900]; 900]>"), Random(1), size=100)


def test_each_place_gets_a_value_of_its_type(policy_of, module):
    policy = policy_of(("rows", ROWS), ("weight", "f64"), streams=[("tick", "u32")])
    found = gathered(policy, program=module, rounds=3)
    assert [len(each.contents) for each in found.given] == [1, 1, 3]
    assert len(decode(parse_type(ROWS), found.given[0].content(1))) == 20
    assert [decode(parse_type("u32"), found.given[2].content(number)) for number in (1, 2, 3)]


def test_an_example_gets_the_data_that_are_made_for_it(policy_of):
    example = EXAMPLES["linear-regression"]
    kinds = [(each.label, each.expression) for each in example.inputs]
    policy = policy_of(*kinds, program=programs.load(example.name))
    found = gathered(policy)
    assert found.program == programs.load(example.name)
    assert found.given[0].contents == example.generate(1, 20).inputs


def test_for_a_place_of_an_unknown_type_a_file_is_asked_for(policy_of, module, tmp_path):
    policy = policy_of(("scan", "opaque"))
    with pytest.raises(SimulationError, match=r"scan.* is opaque .* --input 'scan=FILE'"):
        gathered(policy, program=module)
    own = tmp_path / "scan.bin"
    own.write_bytes(b"pixels")
    for word in ("scan", "input 0", "0"):
        assert gathered(policy, program=module, files={word: own}).given[0].content(1) == b"pixels"


def test_nothing_is_made_up_unasked(policy_of, module):
    with pytest.raises(SimulationError, match="or have what is missing made up by --mock"):
        gathered(policy_of(("rows", ROWS)), program=module, mock=False)


def test_a_place_that_is_not_there_is_told_with_those_that_are(policy_of, module, tmp_path):
    with pytest.raises(SimulationError, match=r"'rwos' is none of .*input 0 \(rows\)"):
        gathered(policy_of(("rows", ROWS)), program=module, files={"rwos": tmp_path})


def test_what_is_made_up_keeps_to_the_sizes_of_the_policy(policy_of, module):
    policy = policy_of(("rows", ROWS), limits=Limits(input_bytes=100))
    content = gathered(policy, program=module, size=5000).given[0].content(1)
    assert 0 < len(content) <= 100
    policy = policy_of(("block", "[u64; 100]"), limits=Limits(input_bytes=100))
    with pytest.raises(SimulationError, match="has 800 bytes, the policy allows 100"):
        gathered(policy, program=module)


def test_another_program_than_the_policy_names_is_refused_with_both_digests(policy_of, tmp_path):
    policy = policy_of()
    with pytest.raises(SimulationError, match=f"{policy.program_digest} is none of the examples"):
        gathered(policy)
    path = tmp_path / "another.wasm"
    path.write_bytes(b"another")
    with pytest.raises(SimulationError, match=f"{Digest.of(b'another')}, .*{Digest.of(OTHER)}"):
        gathered(policy, program=path)


def test_a_policy_of_2021_is_to_be_converted(policy_of):
    with pytest.raises(SimulationError, match="durango policy convert"):
        require_current(policy_of(policy_format=PolicyFormat.VERACRUZ_2021))


def test_a_way_that_tampers_alters_one_bit_in_one_direction_once():
    said = []
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        tamperer(Address("127.0.0.1", listener.getsockname()[1])) as way,
        socket.create_connection((way.address.host, way.address.port), PATIENCE_S) as ours,
        listener.accept()[0] as theirs,
    ):
        theirs.settimeout(PATIENCE_S)
        for one, other, upward in (
            (ours, theirs, None), (theirs, ours, None), (ours, theirs, True),
            (ours, theirs, None), (theirs, ours, False), (theirs, ours, None),
        ):  # fmt: skip
            if upward is not None:
                way.alter_next(upward=upward)
            one.sendall(b"abc")
            said.append(other.recv(3, socket.MSG_WAITALL))
    assert said == [b"abc", b"abc", b"abb", b"abc", b"abb", b"abc"]


def report(*attempts, failure=""):
    digest = Digest.of(b"")
    return Report(
        original=digest,
        simulated=digest,
        replaced=(),
        program="program",
        program_digest=digest,
        sent=(),
        read=(),
        attempts=attempts,
        failure=failure,
        seconds=1.0,
    )


def test_an_adversary_whom_nobody_noticed_is_told_and_spoils_the_whole():
    noticed = Noticed("the isolate", "the program's digest", "program refused")
    held = Attempt("stranger", "did this", (noticed,), "")
    assert report(held).holds
    assert "noticed by the isolate, at the check of the program's digest" in report(held).text()
    missed = report(held, Attempt("other-program", "did that", (), ""))
    assert not missed.holds
    assert "NOBODY NOTICED" in missed.text()
    changed = report(Attempt("stranger", "did this", (noticed,), "READY_TO_EXECUTE"))
    assert not changed.holds
    assert "THE COMPUTATION WAS CHANGED: READY_TO_EXECUTE" in changed.text()
    assert not report(failure="the program trapped").holds
