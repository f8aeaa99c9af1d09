"""Kill -9 of each process at each step of a computation, and what is lost by it."""

import os
import random
import re
import signal
import subprocess
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from colima.runtime import ComputationState, ContentKind, GetResult, Proceed, ResultIs, Upload
from durango import attest
from jalisco import WrongIsolateError
from support.cutter import Cutter, cutter
from support.patience import PATIENCE_S
from support.processes import children, eventually, keeper_of, runs
from support.runtime_guests import COLLECTOR, DAWDLER, ENDLESS, Collected
from support.stack import DATA, PI, RESULT, SCRIPTS, Computation, Stack, below
from veracruz_utils.digest import Digest

AUTHOR, PROVIDER, READER = range(3)
ROLES = ([PI], [DATA], [RESULT])
CONTENT = random.Random(0).randbytes(8 << 20)
HALF = len(CONTENT) // 2
STEPS = (
    "the program is in",
    "half of the data is in",
    "the data is in",
    "the program runs",
    "half of the result is out",
)
GOES_ON = ("durango", "sinaloa", "tabasco", "guest")
"""Processes that are started again, or their commands given again, and nothing is lost but, with a
guest, the attempt that was under way."""
IS_LOST = ("front", "zygote", "sonora")
"""Processes with which the isolate goes, and with it all that was in it."""


def test_the_page_about_interruptions_has_this_table():
    page = Path(__file__).parents[2] / "docs/explanation/interruptions.md"
    rows = re.findall(r"^\| `(\w+)`[^|]*\| ([^|]*) \|$", page.read_text(), re.MULTILINE)
    lost = {process: not what.startswith("nothing") for process, what in rows}
    assert lost == dict.fromkeys(GOES_ON, False) | dict.fromkeys(IS_LOST, True)


@contextmanager
def started(computation: Computation, way: Cutter, client: int, command: str, *arguments: object):
    """A `durango` process that comes over a way which can be cut."""
    words = [*command.split(), computation.policy_file, *arguments, *computation.who(client)]
    with subprocess.Popen(
        [SCRIPTS / "durango", *map(str, words), "--sinaloa", str(way.address)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


class Striker:
    """Kills one kind of process, and does what an operator or a principal does about it."""

    def __init__(self, process: str, stack: Stack, computation: Computation, way: Cutter) -> None:
        self.process = process
        self._stack = stack
        self._computation = computation
        self._way = way

    def strike(self, running: "subprocess.Popen[str]") -> None:
        """Kill it while this command runs."""
        if self.process == "durango":
            running.kill()
            running.wait()
        elif self.process == "sinaloa":
            self._computation.kill_bridge()
            self._computation.start_bridge(str(self._computation.address))
            assert self._computation.sinaloa.last_words.endswith(", found again")
        elif self.process == "guest":
            # After the first kill there is none until the program is to run.
            for guest in children(keeper_of(self._computation.front)):
                os.kill(guest, signal.SIGKILL)
        else:
            os.kill(self._stack.tabasco.process_id, signal.SIGKILL)
            self._stack.tabasco.wait(PATIENCE_S)
            self._stack.start_tabasco()

    def strike_waiting(self) -> None:
        """Kill it while a reader waits for the others."""
        with self._started(READER, "round next", "--wait", 600) as waiting:
            assert "attested" in waiting.stderr.readline()
            self.strike(waiting)

    def strike_halfway(self, passes: tuple[int | None, int | None], *command: object) -> str:
        """Kill it in the middle of a transfer; what was said until that was done after all."""
        self._hold(passes)
        with self._started(*command) as transfer:
            return self._finish(transfer, *command)

    def _finish(self, transfer: "subprocess.Popen[str]", *command: object) -> str:
        assert self._way.held.wait(PATIENCE_S)
        self.strike(transfer)
        self._way.plan.clear()
        self._way.cut()
        if self.process != "durango":
            said = transfer.stderr.read()
            assert transfer.wait(PATIENCE_S) == 0, said
            assert "connection lost" in said
            return said
        client, words, *arguments = command
        return self._computation.durango(words, *arguments, client=client).done().err

    def strike_running(self, *command: object) -> str:
        """Kill it while the program runs, and again when half of the result is out."""
        # Attestation has a connection of its own.
        self._hold((None, HALF), (None, HALF))
        with self._started(*command) as reading:
            with self._computation.connect(AUTHOR) as author:
                assert eventually(lambda: author.state().running)
                self.strike(reading)
            if self.process in {"sinaloa", "tabasco"}:
                return self._finish(reading, *command)
            if self.process == "guest":
                assert "guest lost: signal-9" in reading.stderr.read()
                command = (*command, "--retry")
        return self.strike_halfway((None, HALF), *command)

    def _hold(self, *passes: tuple[int | None, int | None]) -> None:
        self._way.held.clear()
        self._way.holds = True
        self._way.plan = [(None, None), *passes]  # attestation has a connection of its own

    def _started(self, client: int, command: str, *arguments: object):
        return started(self._computation, self._way, client, command, *arguments)


@pytest.mark.parametrize("process", GOES_ON)
def test_a_process_that_holds_no_secret_is_killed_at_every_step_and_nothing_is_lost(stack, process):
    with (
        stack.computation(*ROLES, program=DAWDLER, data=(PROVIDER,)) as computation,
        cutter(computation.address) as way,
    ):
        striker = Striker(process, stack, computation, way)
        computation.send_program()
        striker.strike_waiting()
        content = computation.file(CONTENT)
        said = striker.strike_halfway((HALF, None), PROVIDER, "data send", content)
        # Of what a bridge had taken it may have passed on nothing yet.
        assert process == "sinaloa" or "going on at " in said
        striker.strike_waiting()
        output = computation.folder / "result"
        said = striker.strike_running(READER, "result get", "--output", output)
        assert process == "durango" or "going on at " in said
        assert Collected.parse(output.read_bytes(), count=1).items == (CONTENT,)
    stack.serve_somebody()


def bring_to(step: str, computation: Computation, opened: ExitStack) -> None:
    """Have a computation be at this step."""
    computation.send_program()
    if step == "the program is in":
        return
    provider = opened.enter_context(computation.caller(PROVIDER))
    announced = Upload(ContentKind.DATA, 0, len(CONTENT), Digest.of(CONTENT).value)
    assert provider.ask(announced) == Proceed()
    half = step == "half of the data is in"
    provider.send_bytes(CONTENT[:HALF] if half else CONTENT)
    if half:
        return
    provider.answer()
    if step == "the data is in":
        return
    reader = opened.enter_context(computation.caller(READER))
    if step == "half of the result is out":
        announced = reader.ask(GetResult())
        assert isinstance(announced, ResultIs)
        next(reader.connection.receive_content(announced.size, timeout_s=PATIENCE_S))
        return
    reader.begin(GetResult())
    assert eventually(lambda: provider.ask_state().running)


def kill(process: str, computations: list[Computation]) -> list[int]:
    """Kill what these have in common, or each has; the processes that have to go with it."""
    sonora = computations[0].sonora
    (zygote,) = children(sonora.process_id)
    with_it = below(sonora.process_id if process == "sonora" else zygote)
    killed = {
        "front": [each.front for each in computations],
        "zygote": [zygote],
        "sonora": [sonora.process_id],
    }[process]
    for each in killed:
        os.kill(each, signal.SIGKILL)
    return with_it


@pytest.mark.parametrize("process", IS_LOST)
def test_what_an_isolate_lives_by_is_killed_and_it_is_lost_at_every_step(stack, process):
    sonora = stack.start_sonora(f"lost-with-{process}.sock")
    sonora.wait_ready()
    with ExitStack() as opened:
        computations = []
        for step in STEPS:
            program = ENDLESS if step == "the program runs" else COLLECTOR
            terms = {"program": program, "data": (PROVIDER,), "sonora": sonora}
            computation = opened.enter_context(stack.computation(*ROLES, **terms))
            bring_to(step, computation, opened)
            computations.append(computation)
        first = computations[0]
        attestation = first.attest()
        gone = kill(process, computations)
        for computation in computations:
            assert computation.sinaloa.wait(PATIENCE_S) == 1
            assert "isolate" in computation.sinaloa.last_words
        assert eventually(lambda: not any(map(runs, gone)))
        if process != "front":
            first.sonora = stack.start_sonora(f"lost-with-{process}.sock")
            first.sonora.wait_ready()
        first.start_bridge()
        assert "found again" not in first.sinaloa.last_words
        with pytest.raises(WrongIsolateError), first.connect(PROVIDER, attestation):
            pass
        again = attest(first.policy, sinaloa=first.address)
        with first.connect(PROVIDER, again) as provider:
            assert provider.state().state is ComputationState.INITIAL
    stack.serve_somebody()
