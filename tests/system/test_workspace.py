"""The house rules that no other tool checks: versions, pins, public names, words, markers."""

import ast
import importlib
import itertools
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HOMES = {path.parent.name: path.parent for path in ROOT.glob("*/pyproject.toml")} | {
    "sonora_machine": ROOT / "sonora/machine"
}
PACKAGES = sorted(HOMES)
COMPONENTS = {
    "baja", "colima", "durango", "execution_engine", "jalisco", "mexico_city",
    "platform_services", "psa_attestation", "sdk", "sinaloa", "sonora", "tabasco", "tlaxcala",
    "veracruz_utils",
}  # fmt: skip
BESIDES = {"sinaloa_operator", "sonora_machine", "veracruz", "veracruz_image", "veracruz_shells"}
"""Packages that are no component; of them the operator and the machine are no part of the whole."""
RUNTIME_IMAGE = "veracruz-runtime-image=="
"""Data that a command builds: no folder of the repository."""


def project(package: str) -> dict:
    return tomllib.loads((HOMES[package] / "pyproject.toml").read_text())["project"]


def test_every_component_of_the_map_is_a_package_at_the_root():
    assert set(PACKAGES) == COMPONENTS | BESIDES


def test_all_packages_have_one_version():
    assert len({project(package)["version"] for package in PACKAGES}) == 1


def requirements(table):
    """Of a package, those of its extras included."""
    extras = table.get("optional-dependencies", {}).values()
    return [*table["dependencies"], *itertools.chain(*extras)]


@pytest.mark.parametrize("package", PACKAGES)
def test_siblings_are_pinned_to_that_version(package):
    table = project(package)
    for requirement in requirements(table):
        if requirement.startswith("veracruz-"):
            pinned = requirement.partition(";")[0]
            assert pinned.endswith(f"=={table['version']}"), requirement


@pytest.mark.parametrize("package", PACKAGES)
def test_what_a_package_imports_of_its_siblings_is_what_it_depends_on(package):
    names = {project(each)["name"]: each for each in PACKAGES}
    declared = {
        names[re.split(r"[\[=]", requirement)[0]]
        for requirement in requirements(project(package))
        if requirement.startswith("veracruz-") and not requirement.startswith(RUNTIME_IMAGE)
    }
    imported = set()
    for path in (HOMES[package] / "src").rglob("*.py"):
        if "templates" in path.parts:
            continue  # data: it imports what is in a guest
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                imported.add(node.module.split(".")[0])
    siblings = imported & set(PACKAGES) - {package}
    assert siblings <= declared, siblings - declared


def test_the_whole_is_installed_by_one_distribution():
    table = project("veracruz")
    wanted = {f"{project(each)['name']}=={table['version']}" for each in COMPONENTS}
    assert wanted <= {re.sub(r"\[.*\]", "", each) for each in table["dependencies"]}
    assert any(each.startswith(RUNTIME_IMAGE) for each in table["dependencies"])


@pytest.mark.parametrize("package", PACKAGES)
def test_public_names_are_listed_sorted_and_exist(package):
    module = importlib.import_module(package)
    names = module.__all__
    assert names == sorted(names, key=_as_ruff_sorts)
    assert all(hasattr(module, name) for name in names)


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_says_that_it_is_typed_and_what_it_is(package):
    assert (HOMES[package] / "src" / package / "py.typed").exists()
    assert len((HOMES[package] / "README.md").read_text().splitlines()) >= 5


@pytest.mark.parametrize("package", PACKAGES)
def test_a_wheel_says_where_more_is_to_be_read_and_what_it_is_for(package):
    table = project(package)
    page = f"https://pypi.org/project/{table['name']}/"  # the only address the project has
    assert table["urls"] == {"Documentation": page, "Changelog": f"{page}#history"}
    assert len(table["keywords"]) >= 3
    kinds = {classifier.partition(" :: ")[0] for classifier in table["classifiers"]}
    assert kinds >= {"Development Status", "Programming Language", "Topic", "Typing"}
    least = table["requires-python"].removeprefix(">=")
    assert f"Programming Language :: Python :: {least}" in table["classifiers"]
    assert table["license"] == "MIT"  # an expression: with one, no classifier may name a licence


def test_only_what_is_run_by_its_name_may_be_executed():
    listed = subprocess.run(
        ["git", "ls-files", "--stage"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("this is no checkout")
    rows = [line.split(maxsplit=3) for line in listed.stdout.splitlines()]
    executable = [path for mode, _, _, path in rows if mode == "100755"]
    assert [path for path in executable if not (ROOT / path).read_bytes().startswith(b"#!")] == []


def test_the_text_of_readmes_is_wrapped():
    long = []
    for path in (path for path in ROOT.rglob("README.md") if not _is_foreign(path)):
        code = False
        for number, line in enumerate(path.read_text().splitlines(), 1):
            code ^= line.lstrip().startswith("```")
            if len(line) > 120 and not code and not line.startswith(("|", "```", "    ")):
                long.append(f"{path.relative_to(ROOT)}:{number}")
    assert long == []


def test_a_class_name_has_one_meaning_in_the_whole_tree():
    defined: dict[str, list[str]] = {}
    for package in PACKAGES:
        for path in (HOMES[package] / "src").rglob("*.py"):
            if {"templates", "_pb"} & set(path.parts):
                continue
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    defined.setdefault(node.name, []).append(str(path.relative_to(ROOT)))
    assert {name: paths for name, paths in defined.items() if len(paths) > 1} == {}


def test_the_locks_pin_every_package_by_hash_and_name_no_index():
    for lock in ("requirements.lock", "requirements-dev.lock"):
        text = (ROOT / lock).read_text()
        pinned = re.findall(r"^\S+==\S+(?: ;[^\\\n]*)? \\$", text, re.MULTILINE)
        assert len(pinned) == len(re.findall(r"^[a-zA-Z0-9]", text, re.MULTILINE))
        assert "://" not in text


def _is_foreign(path: Path) -> bool:
    """Not ours: in an environment, a build folder or another cache."""
    return any(
        part in {"build", "dist", "target"} or part.startswith(".")
        for part in path.relative_to(ROOT).parts
    )


def _as_ruff_sorts(name: str) -> tuple[int, str]:
    """Constants, then classes, then the rest."""
    if name.isupper():
        return 0, name
    return (1 if name[0].isupper() else 2), name
