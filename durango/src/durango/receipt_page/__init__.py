"""The page that verifies receipts in a browser: one file of HTML, without a network.

What decides is written twice, here in the language of browsers and in `durango.bundles`, which is
the reference; tests hold both to the same verdicts. What both must agree on by word (the schema of
policies, the layers of isolation, the sentence on software roots) is put into the page from its one
source.
"""

import base64
import hashlib
import json
from importlib.metadata import version
from importlib.resources import files
from typing import Final

from durango.platforms import SOFTWARE_ROOT_STATEMENT
from durango.policy.schema import policy_schema
from veracruz_utils.policy import RUNTIME_LAYERS, TLS_1_2_SUITES, IsolationLayer
from veracruz_utils.policy._veracruz_2021 import PLATFORM_FIELDS

_SCRIPTS: Final = (  # each stands on those before it
    "bytes.js",
    "cbor.js",
    "members.js",
    "cose.js",
    "curves.js",
    "certificates.js",
    "json.js",
    "policy.js",
    "attestation.js",
    "receipts.js",
    "bundles.js",
    "view.js",
)


def receipt_page() -> bytes:
    """The page, whole.

    It may run the script that is in it, by the digest of its bytes, and load nothing.
    """
    style = _part("page.css")
    script = "\n".join(['"use strict";', _constants(), *map(_part, _SCRIPTS)])
    page = _part("page.html")
    for name, text in (
        ("SCRIPT_DIGEST", _digest(script)),
        ("STYLE_DIGEST", _digest(style)),
        ("VERSION", version("veracruz-durango")),
        ("STYLE", style),
        ("SCRIPT", script),
    ):
        page = page.replace(f"@{name}@", text, 1)
    return page.encode()


def _part(name: str) -> str:
    return files(__package__).joinpath(name).read_text("utf-8")


def _constants() -> str:
    layers = [layer.value for layer in IsolationLayer]
    constants: dict[str, object] = {
        "LAYERS": layers,
        "RUNTIME_LAYERS": [layer for layer in layers if layer in RUNTIME_LAYERS],
        "PLATFORMS_2021": PLATFORM_FIELDS,
        "SUITES_2021": [suite.name for suite in TLS_1_2_SUITES],
        "SOFTWARE_ROOT": SOFTWARE_ROOT_STATEMENT,
        # As a text: its largest numbers are beyond what a script's own numbers can tell apart.
        "SCHEMA_TEXT": json.dumps(json.loads(policy_schema())),
    }
    return "\n".join(f"const {name} = {_literal(each)};" for name, each in constants.items())


def _literal(value: object) -> str:
    # Inside of a script element, "</script" would end it.
    return json.dumps(value).replace("<", "\\u003c")


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
