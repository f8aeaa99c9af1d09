"""Reads Intel's JSON: no member twice, no floats, every value of the type it should have."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, NoReturn

from tabasco.verify.errors import EvidenceError, Fault, VerificationStage
from veracruz_utils.frozen import frozen
from veracruz_utils.strict_json import JsonError, read_json

_MAX_STATEMENT_BYTES: Final = 1 << 20
"""Of one statement of Intel; those published have some ten KiB."""


@frozen
class Members:
    """The members of a JSON object, asked for by name and type."""

    values: Mapping[str, Any]
    what: str

    def text(self, name: str) -> str:
        """A string."""
        value = self._get(name)
        return value if isinstance(value, str) else self._wrong(name)

    def number(self, name: str) -> int:
        """A whole number from 0 to 2^32 - 1; `true` is not one."""
        value = self._get(name)
        return value if type(value) is int and 0 <= value < 1 << 32 else self._wrong(name)

    def octets(self, name: str, size: int) -> bytes:
        """So many bytes, in hexadecimal digits."""
        text = self.text(name)
        if len(text) != 2 * size or not text.isascii() or not text.isalnum():
            self._wrong(name)
        try:
            return bytes.fromhex(text)
        except ValueError:
            self._wrong(name)

    def time(self, name: str) -> datetime:
        """A time in UTC, to the second."""
        try:
            moment = datetime.strptime(self.text(name), "%Y-%m-%dT%H:%M:%S%z")
        except ValueError:
            self._wrong(name)
        return moment if moment.tzinfo is UTC else self._wrong(name)

    def member(self, name: str) -> "Members":
        """An object."""
        return self._object(self._get(name), name)

    def objects(self, name: str, *, limit: int = 256) -> tuple["Members", ...]:
        """An array of objects; absent is the same as empty."""
        values = self.values.get(name, [])
        if not isinstance(values, list) or len(values) > limit:
            self._wrong(name)
        return tuple(self._object(value, name) for value in values)

    def texts(self, name: str, *, limit: int = 256) -> tuple[str, ...]:
        """An array of strings; absent is the same as empty."""
        values = self.values.get(name, [])
        if not isinstance(values, list) or len(values) > limit:
            self._wrong(name)
        return tuple(value if isinstance(value, str) else self._wrong(name) for value in values)

    def _get(self, name: str) -> Any:  # noqa: ANN401 - JSON is whatever it is until it is asked for
        return self.values.get(name)

    def _object(self, value: object, name: str) -> "Members":
        return Members(value, self.what) if isinstance(value, dict) else self._wrong(name)

    def _wrong(self, name: str) -> NoReturn:
        raise malformed(f"{self.what}: {name!r} is missing or not as it should be")


def parse(text: str, what: str, *, max_bytes: int = _MAX_STATEMENT_BYTES) -> Members:
    """The one object that a JSON text is.

    Raises:
        EvidenceError: stage `collateral`.
    """
    try:
        value = read_json(text.encode(), max_bytes=max_bytes, floats=False)
    except JsonError as error:
        raise malformed(f"{what} cannot be read: it {error}") from error
    if not isinstance(value, dict):
        raise malformed(f"{what} is not a JSON object")
    return Members(value, what)


def malformed(detail: str) -> EvidenceError:
    """The error of collateral that has not the form it should have."""
    return EvidenceError(Fault.MALFORMED, VerificationStage.COLLATERAL, detail)
