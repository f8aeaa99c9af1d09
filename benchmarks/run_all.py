"""All benchmarks, one after another, and one table of their figures."""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from measuring import table

_SCRIPTS: Final = (
    "guest_run",
    "kernels",
    "wasi_run",
    "example_programs",
    "host_call",
    "cached_program",
    "input_memory",
    "transfer",
    "bulk",
    "round_trip",
    "isolate_start",
    "computation",
    "python_program",
    "busy_state",
    "token_verification",
    "tabasco_clients",
    "native_verification",
    "encode_rows",
    "start_up",
    "idle_sessions",
    "many_sessions",
)
_SLOWEST_S: Final = 600


def main() -> None:
    """Run them and print the table; what they say on the way goes to standard error."""
    parser = argparse.ArgumentParser(description="Run all benchmarks and print one table.")
    parser.add_argument("--rounds", type=int, help="of each; as each thinks fit without it")
    parser.add_argument("--json", action="store_true", help="print one JSON array")
    options = parser.parse_args()
    results = [_run(script, options.rounds) for script in _SCRIPTS]
    if options.json:
        print(json.dumps(results))
        return
    figures = [facts for result in results for facts in result["figures"]]
    print(table(figures))
    missed = sum(facts["met"] is False for facts in figures)
    print("every goal is met" if not missed else f"goals missed: {missed}")


def _run(script: str, rounds: int | None) -> dict[str, Any]:
    print(f"{script} ...", file=sys.stderr, flush=True)
    command = [sys.executable, str(Path(__file__).with_name(f"{script}.py")), "--json"]
    if rounds is not None:
        command += ["--rounds", str(rounds)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=_SLOWEST_S)  # noqa: S603 - our own scripts
    found: dict[str, Any] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    main()
