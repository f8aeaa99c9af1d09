"""The JSON schema of a policy's current format (JSON Schema, draft 2020-12).

Its shape is that of the very types that policies are read by; what these are held to besides (a
pattern, a range, a least number) is written here. Patterns are such that ECMA-262 and Python read
them alike, and so say of letters only what they are not.
"""

import json
from dataclasses import fields
from typing import Any, Final

import msgspec

from veracruz_utils.policy import OPAQUE, REGISTER_BANKS, TLS_1_3_SUITES, Limits, Role
from veracruz_utils.policy._current import VERSION, form_of_current

SCHEMA_ID: Final = "urn:veracruz:policy:1"

_NO_WORD: Final = r"\u0000-/:-@\[-\^`{-\u00a9"
_NO_SIGN: Final = r"\u0000-\u001f!-%*-,/:-@\[-\^`{-\u00a9"
_NAME: Final = rf"^([^{_NO_WORD}]([^{_NO_SIGN}]{{0,62}}([^{_NO_WORD}]|[.)]))?)?$"
_ADDRESS: Final = r"^(\[[0-9A-Fa-f:.]{2,45}\]|[^\[\]:]{1,253}):[1-9][0-9]{0,4}$"
_NUMBER: Final = r"^[0-9]{1,12}(\.[0-9]{1,18})?(e-[0-9]{1,2})?$"
_MEASUREMENT: Final = r"^([0-9a-fA-F]{64}|[0-9a-fA-F]{96})$"
_TIME: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$"
_MOST_ID: Final = 0xFFFF_FFFF


def policy_schema() -> str:
    """The schema.

    What no schema can say is left to the reader: that names, ids and certificates are each one's
    own, that everybody in an order may send, that types and certificates parse, that `inputs` are
    as many as the order has, that dates are not over.
    """
    (schema,), definitions = msgspec.json.schema_components(
        [form_of_current()], ref_template="#/$defs/{name}"
    )
    body = _renamed(definitions.pop(schema["$ref"].rpartition("/")[2]))
    definitions = _renamed(definitions)
    _refine(body["properties"], definitions)
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        "title": "The global policy of a Veracruz computation",
    }
    rules = {"allOf": [_PRIVATE]}
    return json.dumps(head | body | rules | {"$defs": definitions}, indent=2)


_PRIVATE: Final = {
    "if": {
        "required": ["result"],
        "properties": {
            "result": {"required": ["privacy"], "properties": {"privacy": {"type": "object"}}}
        },
    },
    "then": {
        "properties": {
            "debug": {"const": False},
            "deterministic": {"const": False},
            "result": {"required": ["type"], "properties": {"type": {"not": {"const": OPAQUE}}}},
        }
    },
}
"""Noise hides nothing from who is told all, and takes a type that is known."""


def _refine(body: dict[str, Any], definitions: dict[str, Any]) -> None:
    """Add what the types do not say."""
    body["policy_version"] = {"const": VERSION}
    for name in ("sinaloa_url", "tabasco_url"):
        body[name]["pattern"] = _ADDRESS
    body["tabasco_key"]["pattern"] = _pem("PUBLIC KEY")
    body["expires_at"]["pattern"] = _TIME
    body["program_digest"]["pattern"] = "^[0-9a-f]{64}$"
    body["ciphersuite"]["enum"] = [suite.name for suite in TLS_1_3_SUITES]
    body["platforms"]["minItems"] = 1
    body["isolation"]["uniqueItems"] = True
    for name in ("data_provision_order", "streaming_order"):
        body[name]["items"]["maximum"] = _MOST_ID
    body["identities"]["allOf"] = [
        {"contains": _with(Role.PI_PROVIDER), "maxContains": 1},
        {"contains": _with(Role.RESULT_READER)},
    ]
    some = {"minItems": 1, "uniqueItems": True}
    for name in ("next_round", "consent"):
        for form in body[name]["anyOf"]:
            form.update(some if form.get("type") == "array" else {})
    _refine_machines(definitions)
    _refine_parts(
        {name: each["properties"] for name, each in definitions.items() if "properties" in each}
    )


def _refine_parts(parts: dict[str, Any]) -> None:
    person, platform = parts["IdentityForm"], parts["Platform"]
    person["name"]["pattern"] = parts["InputForm"]["name"]["pattern"] = _NAME
    person["certificate"]["pattern"] = _pem("CERTIFICATE")
    person["roles"]["minItems"] = 1
    platform["name"]["pattern"] = "^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$"
    platform["measurements"]["minItems"] = 1
    platform["measurements"]["items"]["pattern"] = _MEASUREMENT
    parts["LeastOf"]["of"] |= {"minItems": 1, "uniqueItems": True}
    for name in ("epsilon", "total_epsilon", "sensitivity", "delta", "total_delta"):
        parts["PrivacyForm"][name]["pattern"] = _NUMBER
    for limit in fields(Limits):
        said = parts["Limits"][limit.name]
        bounds = {"minimum": limit.metadata["least"], "maximum": limit.metadata["most"]}
        for form in said.get("anyOf", [said]):
            form.update(bounds if form["type"] == "integer" else {})


def _refine_machines(definitions: dict[str, Any]) -> None:
    """A platform's machine has the registers of that platform; of others nothing is measured."""
    platform = definitions["Platform"]
    platform["properties"]["machine"] = {"type": "object", "minProperties": 1}
    platform["allOf"] = [
        {
            "if": {"required": ["machine"]},
            "then": {"properties": {"name": {"enum": list(REGISTER_BANKS)}}},
        }
    ]
    for name, bank in REGISTER_BANKS.items():
        values = f"Values{bank.value_bytes}"
        digits = f"^[0-9a-fA-F]{{{2 * bank.value_bytes}}}$"
        definitions[values] = {
            "type": "array",
            "items": {"type": "string", "pattern": digits},
            "minItems": 1,
        }
        registers = {each: {"$ref": f"#/$defs/{values}"} for each in bank.names}
        machine = {"properties": registers, "additionalProperties": False}
        then = {"properties": {"machine": machine}}
        platform["allOf"].append({"if": {"properties": {"name": {"const": name}}}, "then": then})


def _with(role: Role) -> dict[str, Any]:
    return {"properties": {"roles": {"contains": {"const": role.value}}}}


def _pem(label: str) -> str:
    return rf"^-----BEGIN {label}-----\r?\n[A-Za-z0-9+/=\r\n]+-----END {label}-----$"


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
