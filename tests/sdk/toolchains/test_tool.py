"""How compilers are run: what they write is read whatever it is, and they are asked nothing."""

import pytest

from sdk.errors import BuildError
from sdk.toolchains.tool import run_tool


def test_what_a_tool_writes_need_not_be_text(tmp_path):
    ran = run_tool(["printf", "a\\377b"], tmp_path, name="tool", timeout_s=60)
    assert (ran.succeeded, ran.output) == (True, "a\N{REPLACEMENT CHARACTER}b")


def test_a_tool_that_asks_gets_no_answer(tmp_path):
    ran = run_tool(["sh", "-c", "read answer; echo $?"], tmp_path, name="tool", timeout_s=60)
    assert ran.output == "1\n"


def test_a_tool_that_does_not_finish_is_given_up(tmp_path):
    with pytest.raises(BuildError, match="tool did not finish in 1 s"):
        run_tool(["sleep", "100"], tmp_path, name="tool", timeout_s=1)
