"""Write the fields of the operator's kinds into the page that is given, between the marks in it."""

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sinaloa_operator import definitions


def fields(kind: str) -> str:
    """A row for each field of a kind's `spec`."""
    (schema,) = (
        each["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
        for each in definitions()
        if each["spec"]["names"]["kind"] == kind
    )
    rows = [
        f"| `{name}`{'' if name in schema['required'] else ', optional'} | {_takes(each)} | "
        f"{each['description']} |"
        for name, each in schema["properties"].items()
    ]
    return "\n".join(["| Field | Takes | |\n|---|---|---|", *rows])


def _takes(field: Mapping[str, Any]) -> str:
    """The values that the API server lets through."""
    if "enum" in field:
        text = ", ".join(f"`{each}`" for each in field["enum"])
    elif field["type"] == "integer":
        text = f"{field['minimum']} to {field['maximum']}"
    elif field["type"] == "string":
        text = f"text, at most {field['maxLength']} characters"
    else:
        most = f" of at most {field['maxProperties']} names" if "maxProperties" in field else ""
        text = f"a map{most}"
    return text + (f"; {json.dumps(field['default'])} by default" if "default" in field else "")


def filled(page: str) -> str:
    """The page with its tables as the definitions have them."""
    for kind in ("Computation", "Attestation"):
        between = re.compile(
            f"(<!-- fields of {kind}, by `make manifests` -->\n).*?(<!-- end -->)", re.DOTALL
        )
        table = fields(kind)
        page, count = between.subn(lambda found, text=table: f"{found[1]}{text}\n{found[2]}", page)
        if count != 1:
            raise SystemExit(f"the page has {count} marks for {kind}, not one")
    return page


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(filled(path.read_text()))
