"""Policies of named people, good until a test spoils them."""

from support.policies import certificate, current_document, pem, text
from veracruz_utils.policy import Policy

ROLES = {
    "author": ["PiProvider"],
    "north": ["DataProvider"],
    "south": ["DataProvider"],
    "east": ["DataProvider"],
    "reader": ["ResultReader"],
}


def document(roles=None, *, order=None, **terms):
    """A policy of these people, in which each data provider gives once."""
    roles = ROLES if roles is None else roles
    people = [
        {"id": number, "name": name, "certificate": pem(certificate(name)), "roles": each}
        for number, (name, each) in enumerate(roles.items())
    ]
    providers = [each["id"] for each in people if "DataProvider" in each["roles"]]
    return current_document() | {
        "identities": people,
        "data_provision_order": providers if order is None else order,
        "streaming_order": [],
        "sinaloa_url": "bridge.example:3011",
        "tabasco_url": "tabasco.example:3010",
        "expires_at": "2026-06-20T00:00:00Z",
        "platforms": [{"name": "nitro", "measurements": ["5a" * 48]}],
        **terms,
    }


def parse(roles=None, **terms) -> Policy:
    return Policy.parse(text(document(roles, **terms)), at=None)
