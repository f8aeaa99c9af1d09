"""Policies in files; what is wrong with one is told with the file's name."""

import re
from datetime import datetime
from pathlib import Path
from typing import Final

from veracruz_shells.files import read_file
from veracruz_utils.policy import MAX_POLICY_BYTES, Policy, PolicyError, PolicyErrorCode
from veracruz_utils.strict_json import JsonError, JsonValue, read_json

_SOURCE: Final = "is TOML, the source of a policy: make the policy of it by `durango policy build`"
_PEM: Final = re.compile(rb"\s*-----BEGIN ([A-Z ]{1,40})-----")
_FIELDS: Final = "`durango policy schema` has the fields"
_REMEDIES: Final = {
    PolicyErrorCode.MALFORMED_JSON: "it is no policy, or was cut or edited: take the very file "
    "that the others have",
    PolicyErrorCode.UNKNOWN_FIELD: _FIELDS,
    PolicyErrorCode.MISSING_FIELD: _FIELDS,
}
# By fields that no other format has.
_OTHER_FORMATS: Final = {
    "a policy of Veracruz from before 2021": frozenset({"cert", "mexico_city_hash"}),
    "a policy of Veracruz from April 2021 on": frozenset(
        {
            "veracruz_server_url",
            "proxy_attestation_server_url",
            "runtime_manager_hash_sgx",
            "runtime_manager_hash_tz",
            "runtime_manager_hash_nitro",
            "runtime_manager_hash_icecap",
            "file_rights",
            "programs",
            "std_streams_table",
        }
    ),
}


def read_policy(path: Path | str, *, at: datetime | None = None) -> Policy:
    """The policy in a file.

    Args:
        path: the file.
        at: when it has to be good; None is whatever its dates, which are judged again before
            anything is sent.

    Raises:
        PolicyError: it cannot be used; the message begins with the file's name.
        VeracruzError: the file cannot be read.
    """
    raw = read_file(Path(path), limit=MAX_POLICY_BYTES, what="policy")
    try:
        found = Policy.parse(raw, at=at)
    except PolicyError as error:
        told = error
        if other := _other_format(raw):
            told = PolicyError(PolicyErrorCode.UNSUPPORTED_VERSION, other)
        elif error.code in _REMEDIES:
            remedy = _REMEDIES[error.code]
            told = PolicyError(error.code, f"{error.detail}: {remedy}", path=error.path)
        raise told.in_file(str(path)) from None
    # What 2021 did not know it ignored: there a policy of another time is one without a platform.
    if not found.platforms and (other := _other_format(raw)):
        raise PolicyError(PolicyErrorCode.UNSUPPORTED_VERSION, other).in_file(str(path))
    return found


def _other_format(raw: bytes) -> str | None:
    """What a text is that is no policy of ours, as far as it is known."""
    try:
        said = read_json(raw, max_bytes=MAX_POLICY_BYTES)
    except JsonError:
        if block := _PEM.match(raw):
            return f"holds {block[1].decode()} in PEM: give the policy, a file in JSON"
        return _SOURCE if _is_toml(raw) else None
    if not isinstance(said, dict) or "policy_version" in said:
        return None
    names = {*said, *_names_in(said.get("identities"))}
    for format_, marks in _OTHER_FORMATS.items():
        if marked := sorted(names & marks):
            return (
                f"is {format_} (it has {', '.join(marked)}), which is not read here: write it anew "
                "in TOML, see `durango policy build`"
            )
    return None


def _is_toml(raw: bytes) -> bool:
    import tomllib  # noqa: PLC0415 - of use only when something is wrong

    try:
        return bool(tomllib.loads(raw.decode("utf-8-sig")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError):
        return False


def _names_in(identities: JsonValue) -> set[str]:
    entries = identities if isinstance(identities, list) else []
    return {name for entry in entries if isinstance(entry, dict) for name in entry}
