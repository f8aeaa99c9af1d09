"""What a party has in hand, held against the policy it is about to sign."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding

from durango.content import open_content
from durango.errors import ContentError
from durango.identity import MAX_PEM_BYTES, load_certificate
from durango.policy.known_programs import known_program
from durango.policy.pinned_runtimes import PinnedRuntime
from durango.tabasco_keys import parse_tabasco_key
from veracruz_image import architecture_of, verify_image
from veracruz_shells.files import read_file
from veracruz_utils.digest import Digest
from veracruz_utils.frozen import frozen
from veracruz_utils.policy import Policy, Role
from veracruz_utils.strict_json import JsonError, JsonValue, read_json

_MAX_CERTIFICATION_BYTES: Final = 256 * 1024
_OURS: Final = {"module_bytes": "program_bytes"}
"""Limits that certificates of programs call something else than policies."""


@frozen
class Held:
    """Something in hand.

    Attributes:
        what: the option that named it.
        text: what it is, or how it differs.
        fits: whether it is what the policy says.
    """

    what: str
    text: str
    fits: bool

    @property
    def facts(self) -> dict[str, object]:
        """For programs; the keys are stable."""
        return {"what": self.what, "text": self.text, "fits": self.fits}


def hold_program(policy: Policy, path: Path) -> Held:
    """Whether the file is the policy's program."""
    with open_content(path) as content:
        digest, size = content.digest(), content.size
    if digest != policy.program_digest:
        text = f"{path} has digest {digest}, the policy's program is {policy.program_digest}"
        return Held("program", text, fits=False)
    if size > policy.limits.program_bytes:
        text = (
            f"{path} is the program and has {size} bytes, the policy's limit program_bytes is "
            f"{policy.limits.program_bytes}: no isolate would take it"
        )
        return Held("program", text, fits=False)
    known = known_program(digest)
    name = f" {known.name}, {known.summary}" if known else ", which is none of those shipped"
    return Held("program", f"{path} is the program{name}", fits=True)


def hold_certificate(policy: Policy, path: Path) -> Held:
    """Which principal the certificate in the file makes of who has its key."""
    digest = Digest.of(load_certificate(path).public_bytes(Encoding.DER))
    for identity in policy.identities:
        if identity.digest == digest:
            roles = ", ".join(role.value for role in Role if role in identity.roles)
            return Held("certificate", f"{path} is you as {identity.label} ({roles})", fits=True)
    text = f"{path} with digest {digest} is nobody's of this policy"
    return Held("certificate", text, fits=False)


def hold_image(policy: Policy, path: Path, pinned: tuple[PinnedRuntime, ...]) -> Held:
    """Whether the policy accepts the runtime of this image."""
    manifest = verify_image(path)
    measurement = manifest.measurement.value
    accepted = [each.name for each in policy.platforms if measurement in each.measurements]
    if not accepted:
        text = f"{path} measures {measurement.hex()}, which the policy accepts nowhere"
        return Held("image", text, fits=False)
    known = next((each.known for each in pinned if each.measurement == measurement), None)
    release = f"release {known.release.version}" if known else "of no release that is known here"
    text = f"{path} is {release} for {architecture_of(manifest)}, accepted on {', '.join(accepted)}"
    return Held("image", text, fits=True)


def hold_tabasco_key(policy: Policy, path: Path) -> Held:
    """Whether this is the key whose verdicts the policy believes."""
    key = parse_tabasco_key(
        read_file(path, limit=MAX_PEM_BYTES, what="key of Tabasco"), name=str(path)
    )
    found = Digest.of(key)
    if policy.tabasco_key is None:
        text = f"{path} has digest {found}; the policy names no key, so compare it with the others"
        return Held("tabasco-key", text, fits=True)
    named = Digest.of(policy.tabasco_key)
    if found != named:
        text = f"{path} has digest {found}, the policy names {named}"
        return Held("tabasco-key", text, fits=False)
    return Held("tabasco-key", f"{path} is the key that the policy names, {found}", fits=True)


def hold_certification(policy: Policy, path: Path) -> Held:
    """Whether the policy's limits reach what `tlaxcala certify` certified the program for.

    Raises:
        ContentError: the file is no such certificate.
    """
    raw = read_file(path, limit=_MAX_CERTIFICATION_BYTES, what="certificate of a program")
    try:
        said = read_json(raw, max_bytes=_MAX_CERTIFICATION_BYTES)
    except JsonError as error:
        raise ContentError(f"{path} is no certificate of `tlaxcala certify`: {error}") from error
    module, limits = _members(said, path)
    if module.get("digest") != str(policy.program_digest):
        text = f"{path} is about {module.get('digest')}, not about the policy's program"
        return Held("certification", text, fits=False)
    below = [
        f"{name} {mine} below {value}"
        for said, value in limits.items()
        if isinstance(value, int)
        and isinstance(mine := getattr(policy.limits, name := _OURS.get(said, said), None), int)
        and mine < value
    ]
    if below:
        text = f"the policy's limits are lower than {path} was made for: {', '.join(below)}"
        return Held("certification", text, fits=False)
    return Held("certification", f"{path} is about the program, within these limits", fits=True)


def _members(
    said: JsonValue, path: Path
) -> tuple[Mapping[str, JsonValue], Mapping[str, JsonValue]]:
    match said:
        case {
            "format": "veracruz-tlaxcala-certificate",
            "module": dict(module),
            "limits": dict(limits),
        }:
            return module, limits
    raise ContentError(f"{path} is no certificate of `tlaxcala certify`")
