"""The scripts of the page about the library, run as they stand there over real services."""

import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from durango import Identity, build_policy
from sdk.examples import programs
from support.patience import PATIENCE_S
from veracruz import LocalServices

PAGE = Path(__file__).parents[2] / "docs/how-to/use-the-library.md"
_SCRIPT = re.compile(r"<!-- script: (\w+) -->\n```python\n(.*?)```", re.DOTALL)
SOURCE = """
days = 1
consent = ["newspaper", "shop"]
isolation = {isolation}
delegate.sinaloa = "{sinaloa}"
attestation = {{ tabasco = "{tabasco}", key = "tabasco.pem" }}
program = {{ from = "shop", file = "program.wasm" }}
principals.newspaper.certificate = "newspaper.cert.pem"
principals.shop.certificate = "shop.cert.pem"
inputs = [
  {{ from = "newspaper", type = "Vec<{{id: String}}>" }},
  {{ from = "shop", type = "Vec<{{id: String, total_spend: f64}}>" }},
]
result = {{ readers = ["newspaper"], type = "f64" }}
platforms = [{{ name = "{platform}", images = ["{image}"] }}]
"""


@pytest.fixture
def agreed(tmp_path):
    """A folder with everybody's files and the policy, whose isolate runs."""
    for name in ("newspaper", "shop"):
        party = Identity.create(name, not_before=datetime.now(UTC), lifetime=timedelta(days=1))
        (tmp_path / f"{name}.cert.pem").write_bytes(party.certificate_pem())
        (tmp_path / f"{name}.key.pem").write_bytes(party.key_pem())
    (tmp_path / "program.wasm").write_bytes(programs.load("intersection-set-sum"))
    with LocalServices().start() as services:
        (tmp_path / "tabasco.pem").write_text(services.tabasco_key)
        source = tmp_path / "policy.toml"
        source.write_text(
            SOURCE.format(
                isolation=services.isolation, sinaloa=services.free_address(),
                tabasco=services.tabasco, platform=services.platform, image=services.image.folder,
            )
        )  # fmt: skip
        policy = build_policy(source)
        (tmp_path / "policy.json").write_bytes(policy.raw)
        bridge = services.start_bridge(policy)
        yield tmp_path
        assert bridge.wait(PATIENCE_S) == 0


@pytest.mark.timeout(300)
def test_the_scripts_of_the_page_come_to_a_verified_result(agreed):
    told = ""
    for _, script in _SCRIPT.findall(PAGE.read_text()):
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", script],
            cwd=agreed, capture_output=True, text=True, check=False, timeout=PATIENCE_S,
        )  # fmt: skip
        assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
        assert done.stderr == ""
        told += done.stdout
    assert "Who learns what" in told
    assert "viewers spent 25.5" in told
    assert "verified <VerifiedBundle: 1 receipt by isolate " in told
    assert "<svg" in (agreed / "policy.html").read_text()
