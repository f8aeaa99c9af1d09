"""Bundles of reference values, as providers sign them: a JWS over JSON, or a CoRIM.

The JSON has the members `version` (it has to grow) and `values`, each with `kind`, `measurement`,
`value` (hexadecimal) and, if wanted, `label`, `not_before` and `not_after` (RFC 3339). Its JWS has
the type `veracruz-reference-values+jwt`. A CoRIM says the kind as the model of its environments and
the measurement as the key of its measured elements; its version is the beginning of its validity.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Final

import msgspec

from psa_attestation.corim.bundle import Corim, verify_corim
from psa_attestation.corim.profiles import CCA_PROFILE
from psa_attestation.errors import AttestationError
from psa_attestation.jose.jws import verify_jws
from tabasco.errors import TabascoError
from tabasco.registry.models import LABEL_CHARS, NAME_CHARS
from tabasco.verify.kinds import EvidenceKind
from veracruz_utils.frozen import frozen
from veracruz_utils.public_keys import der_of, p256_key_of_der
from veracruz_utils.strict_json import JsonError, read_json

MAX_BUNDLE_BYTES: Final = 512 * 1024
MAX_VALUES: Final = 4096
OPERATOR: Final = "operator"
BUNDLE_TYPE: Final = "veracruz-reference-values+jwt"
_SIZES: Final = frozenset({32, 48, 64})


@frozen
class ReferenceValue:
    """A value (32, 48 or 64 bytes) that a measurement of a kind of evidence may have.

    Attributes:
        number: of its row; 0 before it is written.
        kind: of evidence.
        measurement: which, by the platform's own name, such as `mrenclave`.
        label: what it is the value of, for people.
        provider: who says so.
        not_before: from when on; None from ever.
        not_after: until when; None for good.
    """

    kind: EvidenceKind
    measurement: str
    value: bytes
    label: str
    provider: str = OPERATOR
    not_before: datetime | None = None
    not_after: datetime | None = None
    number: int = 0

    def check(self) -> None:
        """Refuse a value that can be none.

        Raises:
            TabascoError: its size, name or times make no sense.
        """
        if len(self.value) not in _SIZES:
            raise TabascoError(
                f"{self.measurement}: a measurement has 32, 48 or 64 bytes, this has "
                f"{len(self.value)}"
            )
        if not 0 < len(self.measurement) <= NAME_CHARS:
            raise TabascoError(f"{self.measurement[:40]!r} is not a name of a measurement")
        if len(self.label) > LABEL_CHARS or not self.label.isprintable():
            raise TabascoError(
                f"the label {self.label[:40]!r} is not one line of at most {LABEL_CHARS} characters"
            )
        if self.not_before and self.not_after and self.not_before >= self.not_after:
            raise TabascoError(f"{self.measurement}: it ends before it begins")


@frozen
class PlatformKey:
    """The key (DER SubjectPublicKeyInfo) with which a platform signs evidence of a kind."""

    kind: EvidenceKind
    instance: bytes
    public_key: bytes


@frozen
class Bundle:
    """What a provider says: a version, and all that it vouches for."""

    version: int
    values: Sequence[ReferenceValue]
    keys: Sequence[PlatformKey] = ()


@frozen
class Provider:
    """Somebody whose bundles are accepted; `bundle_version` is the last one's, 0 before any."""

    name: str
    public_key: bytes
    bundle_version: int


class _BundleValue(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    kind: EvidenceKind
    measurement: Annotated[str, msgspec.Meta(min_length=1, max_length=NAME_CHARS)]
    value: Annotated[str, msgspec.Meta(pattern="^([0-9a-fA-F]{2}){32,64}$")]
    label: Annotated[str, msgspec.Meta(max_length=LABEL_CHARS)] = ""
    not_before: datetime | None = None
    not_after: datetime | None = None


class _BundleDocument(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    version: Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]
    values: Annotated[list[_BundleValue], msgspec.Meta(max_length=MAX_VALUES)]


def read_bundle(
    bundle: bytes, providers: Sequence[Provider], *, at: datetime
) -> tuple[Provider, Bundle]:
    """Who signed a bundle, and what is in it.

    Raises:
        TabascoError: none of these providers signed it, or it makes no sense.
    """
    if len(bundle) > MAX_BUNDLE_BYTES:
        raise TabascoError(f"a bundle of {len(bundle)} bytes, at most {MAX_BUNDLE_BYTES} are read")
    for provider in providers:
        try:
            found = _signed_by(provider, bundle, at)
        except AttestationError:
            continue  # by somebody else, or by nobody
        for value in found.values:
            value.check()
        return provider, found
    raise TabascoError(
        "the bundle is not signed by a registered provider: "
        "see tabasco reference-values provider add"
    )


def _signed_by(provider: Provider, bundle: bytes, at: datetime) -> Bundle:
    key = p256_key_of_der(provider.public_key)
    if bundle[:1] == b"\xd2":
        corim = verify_corim(bundle, key=key, at=int(at.timestamp()))
        return Bundle(
            corim.not_before or 1, list(_of_corim(corim, provider.name)), list(_keys_of(corim))
        )
    text = bundle.decode("ascii", "replace").strip()
    payload = verify_jws(text, {provider.name: key}, types=frozenset({BUNDLE_TYPE}))
    return _of_json(payload, provider.name)


def _of_json(payload: bytes, provider: str) -> Bundle:
    try:
        document = read_json(payload, max_bytes=MAX_BUNDLE_BYTES)
        found = msgspec.convert(document, _BundleDocument)
    except (JsonError, msgspec.ValidationError) as error:
        raise TabascoError(f"the bundle cannot be read: {error}") from None
    values = [
        ReferenceValue(
            each.kind,
            each.measurement,
            bytes.fromhex(each.value),
            each.label,
            provider,
            _aware(each.not_before),
            _aware(each.not_after),
        )
        for each in found.values
    ]
    return Bundle(found.version, values)


def _of_corim(corim: Corim, provider: str) -> Iterable[ReferenceValue]:
    """Digests of elements named by text, in environments whose model is a kind of evidence."""
    end = None if corim.not_after is None else datetime.fromtimestamp(corim.not_after, UTC)
    for comid in corim.comids:
        for statement in comid.reference_values:
            model = statement.environment.model
            if model not in set(EvidenceKind):
                raise TabascoError(f"the bundle is about model {model!r}, not a kind of evidence")
            for measured in statement.measurements:
                if not isinstance(measured.key, str) or not measured.digests:
                    raise TabascoError("the bundle has a value without name or digest")
                for _, digest in measured.digests:
                    yield ReferenceValue(
                        EvidenceKind(model),
                        measured.key,
                        digest,
                        measured.version or "",
                        provider,
                        not_after=end,
                    )


def _keys_of(corim: Corim) -> Iterable[PlatformKey]:
    """Attest keys of platforms of Arm CCA, in a bundle of that profile or by that model."""
    for comid in corim.comids:
        for statement in comid.attest_keys:
            instance = statement.environment.instance
            kind = (
                EvidenceKind.ARM_CCA
                if corim.profile == CCA_PROFILE
                else statement.environment.model
            )
            if kind not in set(EvidenceKind) or instance is None:
                raise TabascoError(
                    f"the bundle has a key of model {kind!r}, not of an instance of a kind of "
                    "evidence"
                )
            for key in statement.keys:
                yield PlatformKey(EvidenceKind(kind), instance[1], der_of(key))


def _aware(time: datetime | None) -> datetime | None:
    return time if time is None or time.tzinfo is not None else time.replace(tzinfo=UTC)
