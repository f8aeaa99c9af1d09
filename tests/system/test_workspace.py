"""The house rules that no other tool checks: versions, pins, public names, markers."""

import ast
import importlib
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = sorted(path.parent.name for path in ROOT.glob("*/pyproject.toml"))
COMPONENTS = {
    "baja", "colima", "durango", "execution_engine", "jalisco", "mexico_city",
    "platform_services", "psa_attestation", "sdk", "sinaloa", "sonora", "tabasco", "tlaxcala",
    "veracruz_utils",
}  # fmt: skip


def project(package: str) -> dict:
    return tomllib.loads((ROOT / package / "pyproject.toml").read_text())["project"]


def test_every_component_of_the_map_is_a_package_at_the_root():
    assert set(PACKAGES) == COMPONENTS | {"veracruz", "veracruz_shells"}


def test_all_packages_have_one_version():
    assert len({project(package)["version"] for package in PACKAGES}) == 1


@pytest.mark.parametrize("package", PACKAGES)
def test_siblings_are_pinned_to_that_version(package):
    table = project(package)
    for requirement in table["dependencies"]:
        if requirement.startswith("veracruz-"):
            assert requirement.endswith(f"=={table['version']}"), requirement


@pytest.mark.parametrize("package", PACKAGES)
def test_what_a_package_imports_of_its_siblings_is_what_it_depends_on(package):
    names = {project(each)["name"]: each for each in PACKAGES}
    declared = {
        names[re.split(r"[\[=]", requirement)[0]]
        for requirement in project(package)["dependencies"]
        if requirement.startswith("veracruz-")
    }
    imported = set()
    for path in (ROOT / package / "src").rglob("*.py"):
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


@pytest.mark.parametrize("package", PACKAGES)
def test_public_names_are_listed_sorted_and_exist(package):
    module = importlib.import_module(package)
    names = module.__all__
    assert names == sorted(names, key=_as_ruff_sorts)
    assert all(hasattr(module, name) for name in names)


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_says_that_it_is_typed_and_what_it_is(package):
    assert (ROOT / package / "src" / package / "py.typed").exists()
    assert len((ROOT / package / "README.md").read_text().splitlines()) >= 5


def test_the_locks_pin_every_package_by_hash_and_name_no_index():
    for lock in ("requirements.lock", "requirements-dev.lock"):
        text = (ROOT / lock).read_text()
        pinned = re.findall(r"^\S+==\S+(?: ;[^\\\n]*)? \\$", text, re.MULTILINE)
        assert len(pinned) == len(re.findall(r"^[a-zA-Z0-9]", text, re.MULTILINE))
        assert "://" not in text


def _as_ruff_sorts(name: str) -> tuple[int, str]:
    """Constants, then classes, then the rest."""
    if name.isupper():
        return 0, name
    return (1 if name[0].isupper() else 2), name
