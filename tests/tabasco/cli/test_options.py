"""Where commands look for what they keep."""

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from tabasco.cli.options import state_option, store_option


@pytest.mark.parametrize(
    ("arguments", "environment", "expected"),
    [
        (["--state", "s"], {}, "s/collateral"),
        ([], {"TABASCO_STATE": "s"}, "s/collateral"),
        (["--state", "s"], {"TABASCO_STATE": "other"}, "s/collateral"),
        ([], {}, "home/.local/state/veracruz/tabasco/collateral"),
        (["--state", "s", "--store", "elsewhere"], {}, "elsewhere"),
        (["--state", "s"], {"TABASCO_COLLATERAL_STORE": "elsewhere"}, "elsewhere"),
    ],
)
@pytest.mark.parametrize("with_state", [True, False])
def test_collateral_is_kept_in_the_state_directory(
    monkeypatch, arguments, environment, expected, with_state
):
    if "--state" in arguments and not with_state:
        pytest.skip("this command has no --state")
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setenv("HOME", "home")
    seen = []

    @store_option
    def keep(store, **_):
        seen.append(store)

    command = click.command()(state_option(keep) if with_state else keep)
    done = CliRunner().invoke(command, arguments, env=environment)
    assert done.exit_code == 0, done.output
    assert seen == [Path(expected)]
