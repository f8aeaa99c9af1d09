"""How long a program in Python takes from the first attestation to its result, and its interpreter.

Sonora has compiled the interpreter ahead. Each computation has another program on it, so that no
isolate finds code of its own: everybody attests and connects, one sends the program, which begins
with the whole interpreter, one an input, and the third fetches the result. Beside it: how long it
takes CPython of this machine to start and to do the same.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from computations import Deployment
from measuring import Figure, at_most, run

from sdk.toolchains import python, python_core
from veracruz_utils.policy import Role

_SOURCE = "def main(inputs):\n    return inputs[0] * {number}\n"
_ROLES = [[Role.PI_PROVIDER], [Role.DATA_PROVIDER], [Role.RESULT_READER]]
_GOAL_S = 0.25
_PATIENCE_S = 600


def measure(rounds: int) -> list[Figure]:
    """Compute with one program after another."""
    took, native = [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        core = folder / "core.wasm"
        core.write_bytes(python_core.make_core())
        with Deployment("--prepare", str(core)) as deployment:
            begun = time.perf_counter()
            while "prepared:" not in deployment.sonora.last_words:
                if time.perf_counter() - begun > _PATIENCE_S:
                    raise TimeoutError("the core was not prepared")
                time.sleep(0.1)
            ahead = time.perf_counter() - begun
            for number in range(1, rounds + 2):
                source = folder / "main.py"
                source.write_text(_SOURCE.format(number=number))
                program = python.compile_python(source, core=core.read_bytes())
                with deployment.computation(_ROLES, program=program, data=[1]) as computation:
                    begun = time.perf_counter()
                    with (
                        computation.connect(0) as author,
                        computation.connect(1) as owner,
                        computation.connect(2) as reader,
                    ):
                        author.send_program(program)
                        owner.send_data(0, b"x")
                        reader.result()
                        took.append(time.perf_counter() - begun)
                begun = time.perf_counter()
                subprocess.run(  # noqa: S603 - our own interpreter
                    [sys.executable, "-c", f"print('x' * {number})"],
                    check=True,
                    stdout=subprocess.DEVNULL,
                )
                native.append(time.perf_counter() - begun)
    return [
        Figure("a program in Python", "the whole", took[1:], at_most(_GOAL_S), unit="s"),
        Figure("its interpreter", "compiled ahead", [ahead], unit="s"),
        Figure("CPython of this machine", "start and end", native[1:], unit="s"),
    ]


if __name__ == "__main__":
    run("python_program", measure, rounds=10)
