"""The bench gives what an isolate gives: every example both ways, and who may do what."""

import json
from contextlib import ExitStack
from pathlib import Path

import pytest

from colima import runtime
from sdk.examples import EXAMPLES, programs
from support import runtime_guests
from support.isolate_rig import new_party
from veracruz_utils.policy import Limits, Role, Strategy
from veracruz_utils.policy.rendering import pem_encode

PI, DATA, STREAM, READER = (
    Role.PI_PROVIDER, Role.DATA_PROVIDER, Role.STREAM_PROVIDER, Role.RESULT_READER,
)  # fmt: skip


def in_isolate(rig, module, data, rounds):
    """The result of every round in a real isolate: clients 1 and 2 provide, client 3 reads."""
    with ExitStack() as sessions:
        author, *clients = (sessions.enter_context(rig.session(who)) for who in range(4))
        assert author.program(module) == runtime.Done()
        for place, content in enumerate(data):
            assert isinstance(clients[place % 2].data(content, place), runtime.Accepted)
        results = []
        for number, streams in enumerate(rounds):
            if number:
                assert clients[2].ask(runtime.NextRound()) == runtime.Done()
            for place, content in enumerate(streams):
                assert isinstance(clients[place % 2].stream(content, place), runtime.Accepted)
            answer, output = clients[2].result()
            assert isinstance(answer, runtime.ResultIs)
            results.append(output)
        return results


@pytest.mark.parametrize("name", programs.NAMES)
def test_an_example_gives_the_same_bytes_in_an_isolate_and_on_the_bench(
    isolates, run, file, strategy, name
):
    module, example = programs.load(name), EXAMPLES[name]
    case = example.generate(3, 5 if example.streams else 40)
    data, rounds = case.inputs, case.rounds
    roles = [[PI], [DATA, STREAM], [DATA, STREAM], [READER]]
    orders = {
        "data": [1 + place % 2 for place in range(len(data))],
        "streams": [1 + place % 2 for place in range(len(rounds[0]))],
    }
    with isolates.computation(roles, program=module, strategy=strategy, **orders) as rig:
        expected = in_isolate(rig, module, data, rounds)
        file(rig.policy.raw, "policy.json")
    arguments = [file(module), "--policy", "policy.json", "--rounds", len(rounds)]
    for place, content in enumerate(data):
        arguments += ["--data", file(content, f"data-{place}")]
    for place, content in enumerate(each for streams in rounds for each in streams):
        arguments += ["--stream", file(content, f"stream-{place}")]
    done = run(*arguments, "--output", "result-{round}", "--json")
    assert done.exit_code == 0, done.stderr
    files = [Path(f"result-{1 + at}") for at in range(len(rounds))]
    results = [each.read_bytes() if each.exists() else b"" for each in files]
    if example.check is None:
        assert results == expected
    else:  # no two runs of it are alike
        assert example.check(case, results) is example.check(case, expected) is None
    report = json.loads(done.stdout)
    assert report["policy_sha256"] == str(rig.policy.digest)
    assert report["strategy"] == strategy.value
    assert len(report["rounds"]) == len(rounds)


@pytest.fixture
def policy(isolates, file):
    """Writes a policy for new parties with these roles; gives the parties."""

    def write(roles, **terms):
        parties = [new_party(f"party-{number}") for number in range(len(roles))]
        text = isolates.policy(list(zip(parties, roles, strict=True)), **terms)
        file(text, "policy.json")
        return parties

    return write


COLLECTOR = runtime_guests.COLLECTOR
ORDERED = {"program": COLLECTOR, "data": [2, 1, 1], "streams": [1]}
ROLES = [[PI, READER], [DATA, STREAM], [DATA, READER]]


@pytest.fixture
def collect(policy, run, file, tmp_path):
    """Runs the collector under a policy; gives what it saw."""
    policy(ROLES, **ORDERED)
    for name in "abcs":
        file(name.encode(), name)
    program = file(COLLECTOR)

    def collected(*arguments):
        done = run(program, "--policy", "policy.json", *arguments, "--output", "seen", "--force")
        assert done.exit_code == 0, done.stderr
        seen = tmp_path.joinpath("seen").read_bytes()
        return b"".join(runtime_guests.Collected.parse(seen, count=4).items).decode()

    return collected


def test_files_are_in_the_order_of_the_policy(collect):
    files = [word for name in "abc" for word in ("--data", name)]
    assert collect(*files, "--stream", "s") == "abcs"


def test_files_with_clients_and_packages_are_sorted_as_an_isolate_sorts_them(collect):
    files = ["--data", "1:9=a", "--data", "1:4=b", "--data", "2=c"]
    assert collect(*files, "--stream", "1=s") == "cbas"
    files = ["--data", "1=a", "--data", "2:7=c", "--data", "1=b"]
    assert collect(*files, "--stream", "1:3=s") == "cabs"


def test_a_file_whose_name_looks_like_a_clients_is_given_with_its_folder(collect, file):
    file(b"x", "1=a")
    assert collect("--data", "./1=a", "--data", "b", "--data", "c", "--stream", "s") == "xbcs"


ALL = ["--data", "a", "--data", "b", "--data", "c", "--stream", "s"]
NOT_ALLOWED = [
    (["--data", "1=a", "--data", "1=b", "--data", "1=c", "--stream", "s"], 3, "not-expected"),
    (["--data", "1:5=a", "--data", "1:5=b", "--data", "2=c", "--stream", "s"], 3, "duplicate"),
    (["--data", "0=a", "--data", "1=b", "--data", "1=c", "--stream", "s"], 3, "wrong-role"),
    ([*ALL, "--as", 1], 3, "wrong-role"),
    ([*ALL, "--as", 3], 2, "the policy has no client 3; its clients are 0, 1, 2"),
    ([*ALL, "--as", "a"], 2, "a is neither a client id nor a certificate in PEM"),
    ([*ALL, "--as", "missing"], 1, "cannot read certificate missing"),
    (["--data", "7=a", "--data", "1=b", "--data", "1=c", "--stream", "s"], 2, "no client 7"),
    (ALL[:-2], 2, "expected 1 streams of a round, as the policy orders, got 0"),
    (ALL[2:], 2, "expected 3 inputs, as the policy orders, got 2"),
    (["--data", "a", "--data", "1=b", "--data", "c", "--stream", "s"], 2, "1 of 3 inputs name"),
    ([*ALL, "--strategy", "jit"], 2, "--strategy cannot be given with --policy"),
    ([*ALL, "--memory-mib", "1"], 2, "--memory-mib cannot be given with --policy"),
]  # fmt: skip


@pytest.mark.parametrize("case", NOT_ALLOWED, ids=lambda case: case[2])
def test_what_a_policy_does_not_allow_is_refused(collect, run, case):
    del collect  # it has written the files
    arguments, exit_code, message = case
    done = run("program.wasm", "--policy", "policy.json", *arguments)
    assert (done.exit_code, done.stdout) == (exit_code, "")
    assert message in done.stderr


def test_another_program_than_the_policys_is_refused(policy, run, file):
    policy(ROLES[:1], program=COLLECTOR)
    done = run(file(runtime_guests.HELLO), "--policy", "policy.json")
    assert done.exit_code == 3
    assert "an isolate would refuse this (wrong-program): a program with digest" in done.stderr


def test_a_reader_is_named_by_its_certificate(policy, run, file):
    parties = policy([[PI], [READER]], program=runtime_guests.HELLO)
    file(pem_encode("CERTIFICATE", parties[1].certificate).encode(), "reader.pem")
    file(pem_encode("CERTIFICATE", parties[0].certificate).encode(), "author.pem")
    file(pem_encode("CERTIFICATE", new_party("x").certificate).encode(), "stranger.pem")
    program = [file(runtime_guests.HELLO), "--policy", "policy.json"]
    assert run(*program, "--as", "reader.pem").stdout == "hello"
    assert run(*program, "--as", "author.pem").exit_code == 3
    assert run(*program, "--as", "stranger.pem").exit_code == 2


def test_the_limits_are_the_policys(policy, run, file):
    policy([[PI, READER]], program=runtime_guests.ENDLESS, limits=Limits(fuel=1000))
    done = run(file(runtime_guests.ENDLESS), "--policy", "policy.json", "--json")
    assert (done.exit_code, json.loads(done.stdout)["code"]) == (7, "fuel")
    policy([[PI, READER]], program=COLLECTOR, limits=Limits(memory_bytes=65536))
    assert run(file(COLLECTOR), "--policy", "policy.json").exit_code == 8
    policy([[PI, READER, DATA]], program=COLLECTOR, data=[0], limits=Limits(input_bytes=3))
    done = run("program.wasm", "--policy", "policy.json", "--data", file(b"four", "data"))
    assert done.exit_code == 3
    assert "too-large): 4 bytes, expected input_bytes <= 3" in done.stderr


def test_the_strategy_is_the_policys(policy, run, file):
    policy([[PI, READER]], program=runtime_guests.HELLO, strategy=Strategy.INTERPRETATION)
    done = run(file(runtime_guests.HELLO), "--policy", "policy.json")
    assert "Interpretation" in done.stderr


def test_a_policy_that_is_none_is_refused(run, file):
    done = run(file(COLLECTOR), "--policy", file(b"{}", "policy.json"))
    assert (done.exit_code, done.stdout) == (3, "")
    assert run("program.wasm", "--as", 1).exit_code == 2


def test_the_memory_of_compiling_is_the_policys(policy, run, file):
    program = runtime_guests.slow_to_compile(1)
    policy([[PI, READER]], program=program, limits=Limits(compile_memory_bytes=1))
    done = run(file(program), "--policy", "policy.json", "--json")
    report = json.loads(done.stdout)
    assert (done.exit_code, report["code"]) == (7, "compile-memory")
    assert "the limit is 1 bytes" in report["error"]
