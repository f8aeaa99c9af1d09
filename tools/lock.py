"""Resolve every third-party package into requirements.lock and requirements-dev.lock.

The locks hold names, versions and hashes for all platforms and no address of a package index.
"""

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
DEVELOPERS_EXTRAS = {"arrow", "plot", "python", "zig"}
"""What only tests and authors of programs need: it is in the second lock alone."""


def requirements(project: Path) -> list[str]:
    """The third-party requirements of one component, its shells' extras included."""
    table = tomllib.loads(project.read_text())["project"]
    found = list(table["dependencies"])
    for extra, wanted in table.get("optional-dependencies", {}).items():
        if extra not in DEVELOPERS_EXTRAS:
            found += wanted
    return [requirement for requirement in found if not requirement.startswith("veracruz-")]


def compile_lock(wanted: list[str], lock: str, *constraints: str) -> None:
    """Resolve `wanted` into the file `lock`."""
    command = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--upgrade", "--universal"]
    command += ["--python-version", "3.11", "--generate-hashes", "--no-emit-index-url"]
    command += ["--no-header", "--no-annotate", "--output-file", lock]
    for constraint in constraints:
        command += ["--constraint", constraint]
    text = "\n".join(sorted(set(wanted))).encode()
    subprocess.run([*command, "-"], input=text, cwd=ROOT, check=True)  # noqa: S603


def main() -> None:
    """Write both locks."""
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    projects = sorted([*ROOT.glob("*/pyproject.toml"), *ROOT.glob("sonora/*/pyproject.toml")])
    runtime = [each for project in projects for each in requirements(project)] + groups["build"]
    compile_lock(runtime, "requirements.lock")
    tables = [tomllib.loads(project.read_text())["project"] for project in projects]
    extras = [table.get("optional-dependencies", {}) for table in tables]
    developers = [
        requirement
        for each in extras
        for name in sorted(DEVELOPERS_EXTRAS & each.keys())
        for requirement in each[name]
        if not requirement.startswith("veracruz-")
    ]
    compile_lock(
        [*runtime, *groups["dev"], *developers], "requirements-dev.lock", "requirements.lock"
    )


if __name__ == "__main__":
    main()
