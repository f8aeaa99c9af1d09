"""The JSON schema of a policy's current format (JSON Schema, draft 2020-12)."""

import json
from typing import Any, Final

import msgspec

from veracruz_utils.policy._current import form_of_current

SCHEMA_ID: Final = "urn:veracruz:policy:1"


def policy_schema() -> str:
    """The schema, from the very types that policies are read by.

    What no schema can say is left to the reader: that names and certificates are each one's own,
    that everybody in an order may send, that dates are not over.
    """
    (schema,), definitions = msgspec.json.schema_components(
        [form_of_current()], ref_template="#/$defs/{name}"
    )
    name = schema["$ref"].rpartition("/")[2]
    body = definitions.pop(name)
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        "title": "The global policy of a Veracruz computation",
    }
    return json.dumps(head | _renamed(body) | {"$defs": _renamed(definitions)}, indent=2)


def _renamed(value: Any) -> Any:  # noqa: ANN401 - any part of a schema
    """Without the underscores of types that are private to the reader."""
    if isinstance(value, dict):
        return {
            key.lstrip("_") if isinstance(key, str) else key: _renamed(item)
            for key, item in value.items()
            if key != "title"
        }
    if isinstance(value, list):
        return [_renamed(item) for item in value]
    if isinstance(value, str) and value.startswith("#/$defs/_"):
        return value.replace("#/$defs/_", "#/$defs/")
    return value
