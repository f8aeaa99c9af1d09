"""Write what Durango knows of the example programs: by digest, what they are and who learns what.

The catalogue of the SDK says it, and the READMEs beside the sources; a test holds the file to both.
"""

import json
import re
from pathlib import Path

from sdk.examples import EXAMPLES
from veracruz_utils.digest import Digest
from veracruz_utils.policy import OPAQUE

ROOT = Path(__file__).parent.parent
FILE = ROOT / "durango/src/durango/policy/known_programs.json"
PROGRAMS = ROOT / "sdk/src/sdk/examples/programs"
ROW = re.compile(r"\| (?P<party>[^|]+) \| (?P<gives>[^|]+) \| (?P<learns>[^|]+) \|")


def learns(name: str) -> dict[str, str]:
    """What each kind of party learns, as the example's README has it."""
    text = (ROOT / "sdk/examples" / name / "README.md").read_text()
    rows = [match for line in text.splitlines() if (match := ROW.fullmatch(line))]
    found = {row["party"]: row["learns"].replace("**", "").replace("`", "") for row in rows}
    found.pop("Party")
    return found


def known_programs() -> dict[str, dict[str, object]]:
    """Every example that is shipped as a module, by its SHA-256."""
    return {
        str(Digest.of(module.read_bytes())): {
            "name": example.name,
            "summary": example.summary,
            "learns": learns(example.name),
            "codes": {str(code): reason for code, reason in example.codes.items()},
            "result": example.result,
            "inputs": [each.expression or OPAQUE for each in example.inputs],
            "streams": [each.expression or OPAQUE for each in example.streams],
        }
        for example in EXAMPLES.values()
        if (module := PROGRAMS / f"{example.name}.wasm").exists()
    }


def rendered() -> str:
    """The content of the file."""
    return json.dumps(known_programs(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(rendered())
