"""`durango release`: which releases of the runtime one knows, by keys that one decided to trust."""

from datetime import UTC, datetime
from pathlib import Path

import click

from durango._words import timestamp
from durango.cli.options import FILE, releases_option
from durango.releases import (
    MAX_KEY_BYTES,
    KnownRelease,
    RefusedRelease,
    Releases,
    TrustedKey,
    when,
)
from psa_attestation.corim.release import MAX_RELEASE_BYTES
from veracruz_shells.console import emit, json_option, read_file, subgroup
from veracruz_utils.digest import Digest
from veracruz_utils.errors import VeracruzError


class _Fingerprint(click.ParamType[Digest]):
    name = "hex"

    def convert(
        self, value: str | Digest, param: click.Parameter | None, ctx: click.Context | None
    ) -> Digest:
        """SHA-256 in hexadecimal, as people write it: in either case, with colons or without."""
        try:
            return value if isinstance(value, Digest) else Digest.from_hex(_plain(value))
        except VeracruzError:
            self.fail(f"{str(value)[:100]!r} is not SHA-256 in 64 hexadecimal digits", param, ctx)


def _plain(fingerprint: str) -> str:
    return fingerprint.replace(":", "").lower()


@subgroup("release", help="Say which releases of the runtime you know, and whose.")
def release() -> None:
    """The group."""


@release.command("trust")
@click.argument("key", type=FILE)
@click.option(
    "--fingerprint",
    type=_Fingerprint(),
    required=True,
    help="SHA-256 of the key's DER form, as those who make releases publish it. Get it from "
    "another place than the key: who could exchange the one could exchange the other there.",
)
@releases_option
@json_option
def trust(*, key: Path, fingerprint: Digest, config: Path, as_json: bool) -> None:
    """Trust KEY (PEM) for releases from now on, if it is the key with this fingerprint.

    No key is trusted by default. Whoever holds this one can say what a release measures.
    """
    pem = read_file(key, limit=MAX_KEY_BYTES, what="release key")
    trusted = _releases(config).trust(pem, fingerprint=fingerprint, name=str(key))
    emit(_key_facts(trusted), f"trusted {trusted.fingerprint}\nin {trusted.path}", as_json=as_json)


@release.command("distrust")
@click.argument("fingerprint", type=_Fingerprint())
@releases_option
@json_option
def distrust(*, fingerprint: Digest, config: Path, as_json: bool) -> None:
    """Trust the key with this FINGERPRINT no longer, nor what it signed."""
    _releases(config).distrust(fingerprint)
    value = {"fingerprint": fingerprint, "trusted": False}
    emit(value, f"no longer trusted: {fingerprint}", as_json=as_json)


@release.command("add")
@click.argument("file", type=FILE)
@releases_option
@json_option
def add(*, file: Path, config: Path, as_json: bool) -> None:
    """Know the release that FILE (a signed CoRIM) is about, if a trusted key signed it."""
    data = read_file(file, limit=MAX_RELEASE_BYTES, what="release")
    known = _releases(config).add(data, name=str(file))
    emit(_release_facts(known), _release_text(known), as_json=as_json)


@release.command("remove")
@click.argument("version")
@releases_option
@json_option
def remove(*, version: str, config: Path, as_json: bool) -> None:
    """Know release VERSION no longer, which was added."""
    _releases(config).remove(version)
    emit({"version": version, "known": False}, f"removed release {version}", as_json=as_json)


@release.command("list")
@releases_option
@json_option
def list_releases(*, config: Path, as_json: bool) -> None:
    """List the trusted keys, the releases they signed, and the files that are not believed."""
    releases = _releases(config)
    keys, judged = releases.keys(), releases.judged()
    known = [each for each in judged if isinstance(each, KnownRelease)]
    refused = [each for each in judged if isinstance(each, RefusedRelease)]
    facts = {
        "keys": [_key_facts(each) for each in keys],
        "releases": [_release_facts(each) for each in known],
        "refused": [{"file": str(each.path), "reason": each.reason} for each in refused],
    }
    lines = [f"key {each.fingerprint}" for each in keys] or ["no key is trusted"]
    lines += [_release_text(each) for each in known] or ["no release is known"]
    lines += [f"not believed: {each.reason}" for each in refused]
    emit(facts, "\n".join(lines), as_json=as_json)


def _releases(config: Path) -> Releases:
    return Releases(config, at=datetime.now(UTC))


def _key_facts(trusted: TrustedKey) -> dict[str, object]:
    return {"fingerprint": str(trusted.fingerprint), "file": str(trusted.path)}


def _release_facts(known: KnownRelease) -> dict[str, object]:
    return {
        "version": known.release.version,
        "measurements": {name: each.hex() for name, each in known.release.measurements.items()},
        "signer": known.release.signer,
        "signed_by": str(known.signed_by),
        "issued_at": timestamp(when(known.release.issued_at)),
        "expires_at": timestamp(when(known.release.expires_at)),
        "file": str(known.path),
    }


def _release_text(known: KnownRelease) -> str:
    release = known.release
    lines = [
        f"release {release.version}, signed as {release.signer!r} by key {known.signed_by}",
        f"        until {timestamp(when(release.expires_at))}",
    ]
    lines += [f"        {name:<8} {each.hex()}" for name, each in release.measurements.items()]
    return "\n".join(lines)
