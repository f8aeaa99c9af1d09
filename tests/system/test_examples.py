"""Every example through real services, under the policy that its template writes."""

from datetime import UTC, datetime

import pytest

from colima.runtime import ComputationState
from sdk.examples import EXAMPLES, programs
from sdk.examples.policy_template import orders, parties, policy_template
from sonora.image.local import local_image
from support.stack import new_party, run
from veracruz_image import MANIFEST
from veracruz_utils.digest import Digest
from veracruz_utils.policy import Policy

SIZE = 40


def policy_of(example, members, folder, stack, *, module=None):
    """The policy that the template makes, in a folder where everybody's files are."""
    module = module or programs.load(example.name)
    for party, identity in zip(parties(example), members, strict=True):
        folder.joinpath(party.certificate).write_bytes(identity.certificate_pem())
    folder.joinpath(f"{example.name}.wasm").write_bytes(module)
    folder.joinpath("image").symlink_to(local_image().folder / MANIFEST)
    folder.joinpath("tabasco.pem").write_bytes(stack.tabasco_key_file.read_bytes())
    source = policy_template(example)
    source = source.replace("127.0.0.1:3010", str(stack.tabasco_address))
    folder.joinpath("policy.toml").write_text(source)
    run("durango", "policy", "build", "policy.toml", cwd=folder).done()
    return folder.joinpath("policy.json").read_bytes()


def provide(computation, clients, contents, send):
    """Each item from the client whose it is; a client's items are counted from 0."""
    given = dict.fromkeys(clients, 0)
    for client, content in zip(clients, contents, strict=True):
        with computation.connect(client) as provider:
            send(provider, given[client], content)
        given[client] += 1


@pytest.mark.timeout(180)
@pytest.mark.parametrize("name", programs.NAMES)
def test_an_example_computes_in_an_isolate_what_python_does(stack, tmp_path, name):
    example = EXAMPLES[name]
    case = example.generate(11, 5 if example.streams else SIZE)
    members = [new_party(f"party-{number}") for number in range(len(parties(example)))]
    raw = policy_of(example, members, tmp_path, stack)
    data_from, streams_from = orders(example)
    reader = len(members) - 1
    results = []
    with stack.serving(raw, members, programs.load(name)) as computation:
        computation.send_program(0)
        provide(computation, data_from, case.inputs, lambda who, at, what: who.send_data(at, what))
        for number, streams in enumerate(case.rounds, 1):
            provide(
                computation, streams_from, streams, lambda who, at, what: who.send_stream(at, what)
            )
            with computation.connect(reader) as principal:
                result, outcome = principal.result()
                assert outcome.receipt.round == number
                results.append(result)
                if number < len(case.rounds):
                    principal.next_round()
        assert example.fault(case, results) is None
        assert computation.state(reader) is ComputationState.FINISHED_EXECUTING
        assert computation.shut_down(reader) == 0


@pytest.mark.parametrize("name", sorted(EXAMPLES.keys() - {*programs.NAMES}))
def test_an_example_whose_module_is_not_shipped_has_a_policy_too(stack, tmp_path, name):
    example = EXAMPLES[name]
    module = programs.load("nop")  # in place of the one that is to be built
    members = [new_party(f"party-{number}") for number in range(len(parties(example)))]
    raw = policy_of(example, members, tmp_path, stack, module=module)
    policy = Policy.parse(raw, at=datetime.now(UTC))
    assert policy.data_provision_order == orders(example)[0]
    assert policy.program_digest == Digest.of(module)
