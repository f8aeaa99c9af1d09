"""The page of what commands about a policy say has the keys that they print, and no others."""

import json
import re
from pathlib import Path

from click.testing import CliRunner

from durango.cli import main
from support.named_policies import document
from support.policies import text

PAGE = (Path(__file__).parents[2] / "docs/reference/policy-commands.md").read_text()


def documented(command: str) -> set[str]:
    (section,) = re.findall(rf"## `{command} --json`\n(.*?)(?=\n## |\Z)", PAGE, re.DOTALL)
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return {key for cell in cells for key in re.findall(r"`(\w+)`", cell)}


def test_every_command_prints_the_keys_of_the_page(tmp_path):
    policy = tmp_path / "policy.json"
    policy.write_bytes(text(document()))
    for command, files in (("explain", 1), ("check", 1), ("show", 1), ("diff", 2)):
        words = ["policy", command, *[str(policy)] * files, "--json"]
        printed = CliRunner().invoke(main, words)
        assert set(json.loads(printed.stdout)) == documented(command), command


def test_what_is_in_a_list_has_the_keys_of_the_page(tmp_path):
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    first.write_bytes(text(document()))
    second.write_bytes(text(document(debug=True)))
    check = json.loads(CliRunner().invoke(
        main, ["policy", "check", str(first), "--program", str(second), "--json"]
    ).stdout)  # fmt: skip
    diff = json.loads(
        CliRunner().invoke(main, ["policy", "diff", str(first), str(second), "--json"]).stdout
    )
    show = json.loads(CliRunner().invoke(main, ["policy", "show", str(first), "--json"]).stdout)
    lists = [check["runtimes"], check["held"], check["findings"], diff["differences"]]
    for entries in (*lists, show["identities"], show["platforms"]):
        assert entries
        assert all(f"`{key}`" in PAGE for entry in entries for key in entry)
