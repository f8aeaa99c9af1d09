"""A folder with the files of everybody around a rig, and the command `durango` in it."""

import json
from pathlib import Path

from click.testing import CliRunner

from durango.cli import main
from support.principal_rig import PROGRAM, key_pem
from veracruz_utils.policy import Policy


class World:
    """A folder with everybody's files, around a rig."""

    def __init__(self, rig, folder: Path) -> None:
        self.rig = rig
        self.folder = folder
        self.policy = folder / "policy.json"
        self.program = folder / "program.wasm"
        self.program.write_bytes(PROGRAM)
        (folder / "tabasco.pem").write_bytes(key_pem(rig.attester.tabasco_key))
        for name in ("alice", "bob", "carol"):
            self.write_identity(name, getattr(rig, name))
        self.launch()

    def write_identity(self, name: str, identity) -> None:
        (self.folder / f"{name}.cert.pem").write_bytes(identity.certificate_pem())
        key = self.folder / f"{name}.key.pem"
        key.write_bytes(identity.key_pem())
        key.chmod(0o600)

    def launch(self, policy: Policy | None = None) -> None:
        self.policy.write_bytes(self.rig.launch(policy).raw)

    def who(self, name: str) -> list[str]:
        return [
            "--certificate",
            str(self.folder / f"{name}.cert.pem"),
            "--key",
            str(self.folder / f"{name}.key.pem"),
        ]

    def file(self, name: str, content: bytes = b"content") -> str:
        path = self.folder / name
        path.write_bytes(content)
        return str(path)

    def run(self, *args: str, status: int = 0, stdin: bytes | None = None, env=None):
        result = CliRunner().invoke(main, list(args), input=stdin, env=env)
        assert result.exit_code == status, (result.stdout, result.stderr, result.exception)
        return result

    def as_json(self, *args: str, **how) -> dict:
        return json.loads(self.run(*args, "--json", **how).stdout)

    def complain(self, *args: str, status: int, **how) -> str:
        """What is said on standard error when the command fails with this status."""
        result = self.run(*args, status=status, **how)
        assert result.stdout == ""
        return result.stderr

    def provide_everything(self) -> None:
        policy = str(self.policy)
        self.run("program", "send", policy, str(self.program), *self.who("alice"))
        self.run("data", "send", policy, self.file("b", b"bob's"), *self.who("bob"))
        self.run("data", "send", policy, self.file("c", b"carol's"), *self.who("carol"))
