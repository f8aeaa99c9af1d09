"""The pages on signing, proving and repeating, followed by everybody in one computation."""

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from support import command_server
from support.runtime_guests import COLLECTOR
from support.stack import Stack, new_party
from veracruz_utils.policy import Role

PAGES = Path(__file__).parents[2] / "docs/how-to"
NAMES = ("author", "north", "south", "reader")
ROLES = (
    [Role.PI_PROVIDER],
    [Role.DATA_PROVIDER, Role.STREAM_PROVIDER],
    [Role.DATA_PROVIDER],
    [Role.RESULT_READER],
)


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    running = Stack(tmp_path_factory.mktemp("stack"))
    yield running
    running.close()


def commands(page: str) -> list[str]:
    blocks = re.findall(r"```console\n(.*?)```", (PAGES / page).read_text(), re.DOTALL)
    return [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]


def who(name: str) -> str:
    return f"--certificate {name}.cert.pem --key {name}.key.pem"


def test_a_policy_is_signed_a_run_proved_and_done_again_as_the_pages_say(stack, tmp_path):
    parties = [new_party(name) for name in NAMES]
    terms = {"consent": "all", "deterministic": True, "rounds": 2}
    with stack.computation(
        *ROLES, parties=parties, program=COLLECTOR, data=[1, 2], streams=[1], terms=terms
    ) as computation:
        for name, party in zip(NAMES, parties, strict=True):
            (tmp_path / f"{name}.cert.pem").write_bytes(party.certificate_pem())
            key = tmp_path / f"{name}.key.pem"
            key.touch(mode=0o600)
            key.write_bytes(party.key_pem())
        (tmp_path / "policy.json").write_bytes(computation.policy.raw)
        (tmp_path / "program.wasm").write_bytes(COLLECTOR)
        for name in ("north", "south", "item-1", "item-2"):
            (tmp_path / f"{name}.dat").write_bytes(name.encode())
        environment = {
            **os.environ,
            "DURANGO_SINALOA": str(computation.address),
            "PATH": command_server.path(),
        }

        def run(*lines: str) -> str:
            for line in lines:
                done = subprocess.run(
                    shlex.split(line), cwd=tmp_path, env=environment, capture_output=True,
                    text=True, check=False,
                )  # fmt: skip
                assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
            return done.stdout

        others = [name for name in NAMES if name != "north"]
        for name in others:
            run(f"durango policy sign policy.json {who(name)} --output {name}.consent")
        *steps, revoke = commands("sign-a-policy.md")
        assert run(*steps).endswith("missing: client 0, client 3\n")
        run(f"durango policy consent policy.json author.consent reader.consent {who('author')}")
        run(revoke, f"durango policy consent policy.json north.consent {who('north')}")

        run(f"durango program send policy.json program.wasm {who('author')}")
        run(f"durango data send policy.json south.dat {who('south')} --opening south.opening")
        prove = commands("prove-what-a-computation-did.md")
        (send,) = [line for line in prove if line.startswith("durango data send")]
        prove.remove(send)
        (page,) = [line for line in prove if line.startswith("durango receipt page")]
        prove.remove(page)
        assert "checks bundles of receipts in a browser" in run(page)
        run(send, f"durango stream send policy.json item-1.dat {who('north')}")
        told = run(*prove)
        assert "the program saw this input" in told

        first, get_all, second = commands("repeat-a-computation.md")
        assert run(first).startswith("the same: receipt 1")
        run(f"durango round next policy.json {who('reader')}")
        run(f"durango stream send policy.json item-2.dat {who('north')}")
        run(f"durango result get policy.json {who('reader')} --output result-2.dat")
        run("rm receipts.cbor", get_all)
        assert run(second).startswith("the same: receipt 2")
