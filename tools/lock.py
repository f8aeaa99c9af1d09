"""Resolve every third-party package into requirements.lock and requirements-dev.lock.

The locks hold names, versions and hashes for all platforms and no address of a package index.
"""

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
GUEST_TOOLCHAINS = {"python", "zig"}


def requirements(project: Path) -> list[str]:
    """The third-party requirements of one component, its shells' extras included."""
    table = tomllib.loads(project.read_text())["project"]
    found = list(table["dependencies"])
    for extra, wanted in table.get("optional-dependencies", {}).items():
        if extra not in GUEST_TOOLCHAINS:
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
    projects = sorted(ROOT.glob("*/pyproject.toml"))
    runtime = [each for project in projects for each in requirements(project)] + groups["build"]
    compile_lock(runtime, "requirements.lock")
    sdk = tomllib.loads((ROOT / "sdk/pyproject.toml").read_text())["project"]
    extras = sdk["optional-dependencies"]
    toolchains = [each for name in sorted(GUEST_TOOLCHAINS) for each in extras[name]]
    compile_lock(
        [*runtime, *groups["dev"], *toolchains], "requirements-dev.lock", "requirements.lock"
    )


if __name__ == "__main__":
    main()
