"""A principal's library: policy, identity, consent, attestation, sending and fetching, receipts.

    policy = read_policy("policy.json")
    print(explain_policy(policy))
    identity = Identity.load("north.cert.pem", "north.key.pem")
    attestation = attest(policy)
    with Principal.connect(policy, identity, attestation) as north:
        north.send_data(0, "patients.bin")

`durango.aio` has the same for asyncio. The names are listed once, in `__init__.pyi`: that is what
type checkers read, and from it a name is loaded when it is asked for (PEP 562), so that who sends
nothing does not wait for TLS and gRPC.
"""

from importlib import import_module

_found: dict[str, str] = {}


def _homes() -> dict[str, str]:
    """The module of each public name, as the stub imports it from there."""
    if not _found:
        import ast  # noqa: PLC0415 - as all here: when a name is asked for
        from pathlib import Path  # noqa: PLC0415

        stub = ast.parse(Path(__file__).with_suffix(".pyi").read_bytes())
        _found.update(
            (alias.name, node.module)
            for node in stub.body
            if isinstance(node, ast.ImportFrom) and node.module
            for alias in node.names
        )
    return _found


def __getattr__(name: str) -> object:
    """A public name, from the module where it lives (PEP 562)."""
    if name == "__all__":
        return sorted(_homes(), key=lambda each: (each.islower(), each))
    if name.startswith("_") or name not in _homes():
        raise AttributeError(f"module 'durango' has no attribute {name!r}")
    return getattr(import_module(_homes()[name]), name)


def __dir__() -> list[str]:
    return sorted(_homes())
