"""`durango policy new`: what follows from the roles where no order is given."""

from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from durango.cli import main
from durango.identity import Identity
from support.policies import key_of, pem, public_key_der
from veracruz_utils.policy import Policy

CASES = {
    "PiProvider|DataProvider|StreamProvider|ResultReader": ((1,), (2,), 100),
    "PiProvider|DataProvider,StreamProvider|StreamProvider,ResultReader": ((1,), (1, 2), 100),
    "PiProvider,StreamProvider|DataProvider|ResultReader": ((1,), (0,), 100),
    "PiProvider|DataProvider|DataProvider,ResultReader": ((1, 2), (), 1),
    "PiProvider,ResultReader": ((), (), 1),
}


@pytest.mark.parametrize("roles", CASES)
def test_everybody_has_a_place_once_in_each_order_that_their_roles_are_for(tmp_path, roles):
    now = datetime.now(UTC)
    (tmp_path / "tabasco.pem").write_text(pem(public_key_der(key_of("tabasco")), "PUBLIC KEY"))
    (tmp_path / "program.wasm").write_bytes(b"\0asm")
    words = ["--program", tmp_path / "program.wasm", "--tabasco-key", tmp_path / "tabasco.pem"]
    words += ["--sinaloa", "bridge.example:3011", "--tabasco", "tabasco.example:3010"]
    words += ["--platform", f"nitro={'5a' * 48}", "--output", tmp_path / "policy.json"]
    for number, each in enumerate(roles.split("|")):
        person = Identity.create(f"p{number}", not_before=now, lifetime=timedelta(days=60))
        path = tmp_path / f"p{number}.cert.pem"
        path.write_bytes(person.certificate_pem())
        words += ["--identity", path, each]
    words += ["--config", tmp_path / "config"]
    done = CliRunner().invoke(main, ["policy", "new", *map(str, words)])
    assert done.exit_code == 0, done.stderr
    made = Policy.parse((tmp_path / "policy.json").read_bytes(), at=now)
    said = (made.data_provision_order, made.streaming_order, made.conduct.rounds)
    assert said == CASES[roles]
