"""Mutation testing: is every fault that is put into the modules of trust found by their tests?

tools/mutants.toml is the table of the modules and their nearest tests. Each mutant is one small
change of a module, by the operators of cosmic-ray or a dropped statement, made in a copy of the
working tree. A mutant that no test finds survives; it wants a test, or an entry in the table that
says why it behaves as the original does. Exit status: 0 when no other mutant survived.
"""

import argparse
import ast
import difflib
import itertools
import multiprocessing
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
import traceback
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator

ROOT = Path(__file__).parent.parent
TABLE = ROOT / "tools/mutants.toml"
OPERATORS = (
    "AddNot", "ExceptionReplacer", "NumberReplacer", "RemoveDecorator",
    "ReplaceAndWithOr", "ReplaceOrWithAnd", "ReplaceTrueWithFalse", "ReplaceFalseWithTrue",
    "ReplaceBreakWithContinue", "ReplaceContinueWithBreak", "ZeroIterationForLoop",
    "ReplaceBinaryOperator_Add_Sub", "ReplaceBinaryOperator_Sub_Add",
    "ReplaceBinaryOperator_Mul_Add", "ReplaceBinaryOperator_FloorDiv_Mul",
    "ReplaceBinaryOperator_Mod_Add", "ReplaceBinaryOperator_BitAnd_BitOr",
    "ReplaceComparisonOperator_Eq_NotEq", "ReplaceComparisonOperator_NotEq_Eq",
    "ReplaceComparisonOperator_Lt_LtE", "ReplaceComparisonOperator_LtE_Lt",
    "ReplaceComparisonOperator_Gt_GtE", "ReplaceComparisonOperator_GtE_Gt",
    "ReplaceComparisonOperator_Is_IsNot", "ReplaceComparisonOperator_IsNot_Is",
    "ReplaceUnaryOperator_Delete_Not", "ReplaceUnaryOperator_Delete_USub",
)  # fmt: skip
DROPPED = ast.Expr | ast.Raise | ast.Delete | ast.AugAssign
LOADED = Path("loaded.txt")
DATA_BYTES = 4 << 30
NOT_RUN = 70
WAITING = 3  # times as long as it may work, a test may wait
OUTCOMES = {0: "survived", 1: "killed", 2: "killed: no import", 4: "killed: no import"}


@dataclass(frozen=True)
class Mutant:
    """One change of one module.

    Attributes:
        path: the module, from the root of the repository.
        line: where the change is.
        within: the function or class around it, by its qualified name.
        before: the changed lines as they were, stripped and joined.
        after: the same as they are now.
    """

    path: str
    line: int
    within: str
    before: str
    after: str
    code: str

    @property
    def name(self) -> tuple[str, str, str, str]:
        """What the table knows it by."""
        return self.path, self.within, self.before, self.after


def mutants(path: str) -> list[Mutant]:
    """All mutants of a module, each once."""
    source = (ROOT / path).read_text()
    tree = ast.parse(source)
    found = {}
    for code in (*_by_operators(source), *_by_dropping(source, tree)):
        with suppress(SyntaxError):  # such as the star before keyword-only arguments, as a product
            compile(code, path, "exec")
            each = _described(path, source, tree, code)
            if not _left_alone(each):
                found[code] = each
    return sorted(found.values(), key=lambda each: (each.line, each.after))


def _by_operators(source: str) -> Iterator[str]:
    for name in OPERATORS:
        operator = get_operator(f"core/{name}")()
        for occurrence in itertools.count():
            try:
                code = mutate_code(source, operator, occurrence)
            except AttributeError:  # cosmic-ray cannot replace a dotted name in a tuple of them
                continue
            if code is None:
                break
            if code != source:
                yield code


def _by_dropping(source: str, tree: ast.Module) -> Iterator[str]:
    lines = source.splitlines(keepends=True)
    for node in ast.walk(tree):
        if not isinstance(node, DROPPED):
            continue
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue  # a docstring
        first, last = node.lineno - 1, node.end_lineno
        kept = lines[first].encode()[: node.col_offset].decode()
        rest = lines[last - 1].encode()[node.end_col_offset :].decode()
        yield "".join([*lines[:first], f"{kept}pass{rest}", *lines[last:]])


def _left_alone(mutant: Mutant) -> bool:
    """Whether no test could be asked to find it.

    The flags of dataclasses are for mypy to hold, and many constants of modules are sizes that
    decide how fast something goes; what a constant bounds is tested at its bound, by its name.
    """
    constant = None if mutant.within else re.match(r"_?[A-Z0-9_]+(: Final)? = ", mutant.before)
    return constant is not None or mutant.before.startswith("@dataclass(")


def _described(path: str, source: str, tree: ast.Module, code: str) -> Mutant:
    old, new = source.splitlines(), code.splitlines()
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    changes = [each for each in matcher.get_opcodes() if each[0] != "equal"]
    (first, last), (begin, end) = (
        (changes[0][1], changes[-1][2]),
        (changes[0][3], changes[-1][4]),
    )
    while first + 1 < last and not old[first].strip():
        first += 1  # above a decorator that was removed
    before, after = (" ".join(map(str.strip, part)) for part in (old[first:last], new[begin:end]))
    return Mutant(path, first + 1, _around(tree, first + 1), before, after, code)


def _around(tree: ast.Module, line: int) -> str:
    names, body = [], tree.body
    while True:
        for node in body:
            if (
                isinstance(node, ast.FunctionDef | ast.ClassDef)
                and min([node.lineno, *(each.lineno for each in node.decorator_list)]) <= line
                and line <= (node.end_lineno or 0)
            ):
                names.append(node.name)
                body = node.body
                break
        else:
            return ".".join(names)


class Copy:
    """A copy of the working tree, in which a worker tries its mutants."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / str(os.getpid())
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607
            cwd=ROOT, capture_output=True, text=True, check=True,
        ).stdout.split("\0")  # fmt: skip
        for name in filter(None, listed):
            if (ROOT / name).is_file():
                (self._folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, self._folder / name, follow_symlinks=False)
        os.chdir(self._folder)
        sources = [
            str(each)
            for each in sorted([*self._folder.glob("*/src"), *self._folder.glob("sonora/*/src")])
        ]
        sys.path[:] = [*sources, *(each for each in sys.path if not _is_ours(each))]
        os.environ["PYTHONPATH"] = os.pathsep.join(sources)
        # Whatever the environment says: compiling all modules again for each mutant takes longer
        # than most tests.
        sys.dont_write_bytecode = False
        sys.pycache_prefix = os.environ["PYTHONPYCACHEPREFIX"] = str(folder / "compiled")
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        self._changes = int(time.time())

        self._ours = {each.name for each in self._folder.glob("*/src/*")} | {"tests", "support"}

    def outcome(self, path: str, code: str, tests: list[str], limit_s: float) -> str:
        """`survived`, or how the module with this code was found out."""
        original = Path(path).read_text()
        self._write(path, code)
        try:
            return self._run(tests, limit_s)
        finally:
            self._write(path, original)
            self._preload()

    def _preload(self) -> None:
        """Load what the tests that ran last had loaded and that is not ours: no mutant changes it.

        It takes longer than most tests, and so is done once for all that this process forks.
        """
        names = LOADED.read_text().split() if LOADED.exists() else []
        for name in names:
            if name not in sys.modules and name.partition(".")[0] not in self._ours:
                with suppress(Exception):
                    __import__(name)

    def _write(self, path: str, code: str) -> None:
        """The module's code, with a time of change by which no compiled code is taken for it."""
        Path(path).write_text(code)
        self._changes += 1
        os.utime(path, (self._changes, self._changes))

    def _run(self, tests: list[str], limit_s: float) -> str:
        child = os.fork()
        if child == 0:
            try:
                os._exit(_test(tests, limit_s))
            except BaseException:  # noqa: BLE001 a child must not go on as a worker
                traceback.print_exc()
                os._exit(NOT_RUN)
        end = time.monotonic() + WAITING * limit_s
        while True:
            process, status = os.waitpid(child, os.WNOHANG)
            if process:
                break
            if time.monotonic() > end:
                os.killpg(child, signal.SIGKILL)
                os.waitpid(child, 0)
                return "killed: no end"
            time.sleep(0.02)
        with suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)  # what its tests had started
        code = os.waitstatus_to_exitcode(status)
        if code < 0:
            return f"killed: signal {-code}"
        return OUTCOMES.get(code, f"no tests ran: status {code}, see {self._folder}/mutant.log")


def _is_ours(entry: str) -> bool:
    return Path(entry).name == "src" and Path(entry).parent.parent == ROOT


def _test(tests: list[str], limit_s: float) -> int:
    """Run tests in this process, which is the worker's child; pytest's status."""
    os.setsid()
    # What runs in circles is ended by its own work, so that a busy machine may wait longer.
    cpu_s = int(limit_s)
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))
    resource.setrlimit(resource.RLIMIT_DATA, (DATA_BYTES, resource.RLIM_INFINITY))
    log = os.open("mutant.log", os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    options = ["-x", "-q", "--assert=plain", "-p", "no:cacheprovider", "--hypothesis-seed=0"]
    code = pytest.main([*options, *tests])
    LOADED.write_text("\n".join(sys.modules))
    sys.stdout.flush()
    return int(code)


_copy: Copy


def _begin_worker(folder: Path) -> None:
    global _copy  # noqa: PLW0603 a worker's own
    _copy = Copy(folder)


def _try(tests: list[str], limit_s: float, mutant: Mutant) -> tuple[Mutant, str]:
    return mutant, _copy.outcome(mutant.path, mutant.code, tests, limit_s)


def _unchanged(path: str, tests: list[str]) -> tuple[float, str]:
    """How many seconds of work the tests are as the module is, and their outcome."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    outcome = _copy.outcome(path, Path(path).read_text(), tests, 1800)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, outcome


def main() -> int:
    """Try the mutants of the modules asked for; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("modules", nargs="*", help="parts of paths in the table; all if none")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="workers at a time")
    wanted = parser.parse_args()
    table = tomllib.loads(TABLE.read_text())
    rows = [
        row
        for row in table["module"]
        if not wanted.modules or any(part in row["path"] for part in wanted.modules)
    ]
    if not rows:
        parser.error(f"no module in {TABLE.relative_to(ROOT)} has such a path")
    known = {
        (row["path"], row["within"], row["before"], after)
        for row in table.get("equivalent", [])
        for after in row["after"]
    }
    (ROOT / "build").mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="mutants-", dir=ROOT / "build"))
    survivors: list[Mutant] = []
    with ProcessPoolExecutor(
        wanted.jobs, multiprocessing.get_context("fork"), _begin_worker, (folder,)
    ) as workers:
        for row in rows:
            left_out = ["-k", f"not {row['without']}"] if "without" in row else []
            survivors += _module(workers, row["path"], [*row["tests"], *left_out], known)
    shutil.rmtree(folder, ignore_errors=True)
    for each in survivors:
        _say(f"\n{each.path}:{each.line} in {each.within or 'the module'}")
        _say(f"  before  {each.before}\n  after   {each.after}")
    _say(f"\n{len(survivors)} mutants survived that are not listed as equivalent")
    return 1 if survivors else 0


def _module(
    workers: ProcessPoolExecutor, path: str, tests: list[str], known: set[tuple[str, str, str, str]]
) -> list[Mutant]:
    """The mutants of one module that survived and are not known to be equivalent."""
    took_s, outcome = workers.submit(_unchanged, path, tests).result()
    if outcome != "survived":
        raise SystemExit(f"{path}: its tests fail without any mutant ({outcome})")
    outcomes, survivors = Counter[str](), []
    each_of = mutants(path)
    alike = Counter(mutant.name for mutant in each_of)
    listed = {name for name in known if name[0] == path and alike[name] <= 1}
    for name in known:
        if alike[name] > 1:
            _say(f"  listed as equivalent, but {alike[name]} mutants read so: {name[3]}")
    _say(f"{path}: {len(each_of)} mutants, {took_s:.0f} s of work for its tests")
    attempt = partial(_try, tests, 3 + 2 * took_s)
    for mutant, outcome in workers.map(attempt, each_of):
        if outcome == "survived" and mutant.name in listed:
            outcomes["equivalent"] += 1
            continue
        outcomes[outcome] += 1
        if not outcome.startswith("killed"):
            survivors.append(mutant)
            _say(f"  {outcome}: line {mutant.line}: {mutant.before}  ->  {mutant.after}")
        elif mutant.name in listed:
            _say(f"  listed as equivalent, but {outcome}: line {mutant.line}: {mutant.after}")
    for name in listed - {mutant.name for mutant in each_of}:
        _say(f"  listed as equivalent, but no such mutant: {name[3]}")
    _say("  " + ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items())))
    return survivors


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
