"""What a release of the runtime measures, signed by who releases it: a CoRIM that says just that.

One CoMID, in it for each architecture a reference value of the component that a runtime's token has
(`ARoT` of `psa`, so that Tabasco imports it as it does any bundle). What a release says has one
form, and other bytes are refused: no part of a statement is taken for the whole of it.
"""

import re
from collections.abc import Mapping
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from psa_attestation.cbor.encoding import encode
from psa_attestation.cbor.members import refused
from psa_attestation.cbor.values import Key, Tag, Value, WritingError
from psa_attestation.corim import bundle
from psa_attestation.corim.bundle import Corim, verify_corim
from psa_attestation.cose import messages
from psa_attestation.cose.signing import sign1
from psa_attestation.errors import AttestationError, ErrorCode, Stage
from psa_attestation.tokens.runtime import COMPONENT
from veracruz_utils.frozen import frozen

NAME: Final = "veracruz-runtime-image"
MAX_RELEASE_BYTES: Final = 16 * 1024
_VENDOR: Final = "veracruz"
_KIND: Final = "psa"
_SHA_256: Final = 1
_VERSION: Final = re.compile(r"[0-9][0-9A-Za-z.+-]{0,39}")
_ARCHITECTURE: Final = re.compile(r"[a-z0-9_]{1,32}")
_SIGNER: Final = re.compile(r"[!-~](?:[ -~]{0,62}[!-~])?")
_LATEST: Final = 1 << 34
"""In the year 2514: what a reader makes of any earlier time is a date."""
_UNSIGNED: Final = b"\xd9\x01\xf5"  # CBOR tag 501


@frozen
class ImageRelease:
    """The runtime images of one release.

    Attributes:
        version: of the release.
        measurements: SHA-256, 32 bytes, by architecture as `uname -m` names it; at least one.
        signer: the name that who released it goes by; authentic as far as the key is.
        issued_at: in seconds since 1970; of two files about one release the later one counts.
        expires_at: likewise; until then the release may be relied on.
    """

    version: str
    measurements: Mapping[str, bytes]
    signer: str
    issued_at: int
    expires_at: int


def sign_release(release: ImageRelease, key: ec.EllipticCurvePrivateKey) -> bytes:
    """`release` as a signed CoRIM.

    Raises:
        WritingError: no reader would accept it.
    """
    signer: Value = {0: {0: release.signer}, 1: _validity(release)}
    protected: dict[int, Value] = {
        messages.CONTENT_TYPE: bundle.CONTENT,
        bundle.META: encode(signer),
    }
    signed = sign1(_payload(release), key, protected=protected)
    try:
        verify_release(signed, key=key.public_key(), at=release.issued_at)
    except AttestationError as error:
        raise WritingError(f"this release would be refused: {error}") from error
    return signed


def verify_release(data: bytes, *, key: ec.EllipticCurvePublicKey, at: int) -> ImageRelease:
    """The release that a signed CoRIM is about, authentic and valid at `at`.

    Args:
        data: a COSE_Sign1 (tag 18) of at most 16 KiB.
        key: of whoever makes releases.
        at: in seconds since 1970.

    Raises:
        AttestationError: anything else.
    """
    if len(data) > MAX_RELEASE_BYTES:
        raise AttestationError(
            ErrorCode.SIZE_LIMIT,
            Stage.ENVELOPE,
            f"{len(data)} bytes, a release has at most {MAX_RELEASE_BYTES}",
        )
    if data.startswith(_UNSIGNED):
        raise AttestationError(
            ErrorCode.MISSING_TAG_18, Stage.ENVELOPE, "it is a bundle that nobody signed"
        )
    release = _release_of(verify_corim(data, key=key, at=at))
    # A condition beside a value, or another value in it, would be left out of what is returned.
    if messages.parse(data, bundle.ENVELOPE).payload != _payload(release):
        raise _not_a_release("it says something else besides, or in another form")
    return release


def _payload(release: ImageRelease) -> bytes:
    name = f"{NAME} {release.version}"
    about: Value = {0: {1: _VENDOR, 2: _KIND}}
    triples: list[Value] = [
        [about, [_measurement(release.version, architecture, digest)]]
        for architecture, digest in sorted(release.measurements.items())
    ]
    module: Value = {1: {0: name}, 4: {0: triples}}
    modules: list[Value] = [Tag(bundle.COMID, encode(module))]
    members: dict[Key, Value] = {0: name, 1: modules, 4: _validity(release)}
    return encode(Tag(bundle.CORIM, members))


def _measurement(version: str, architecture: str, digest: bytes) -> Value:
    return {0: COMPONENT, 1: {0: {0: version}, 2: [[_SHA_256, digest]], 11: architecture}}


def _validity(release: ImageRelease) -> Value:
    return {0: Tag(bundle.TIME, release.issued_at), 1: Tag(bundle.TIME, release.expires_at)}


def _release_of(corim: Corim) -> ImageRelease:
    name, _, version = str(corim.id).rpartition(" ")
    if name != NAME or not _VERSION.fullmatch(version):
        raise _not_a_release(f"it is about {str(corim.id)[:60]!r}")
    if corim.not_before is None or corim.not_after is None:
        raise _not_a_release("it does not say from when to when it is valid")
    if corim.not_after >= _LATEST:
        raise _not_a_release(f"it is valid until {corim.not_after}, beyond any use of it")
    if corim.signer is None or not _SIGNER.fullmatch(corim.signer):
        raise _not_a_release("it does not say who signed it")
    measurements = {
        str(measurement.name): digest
        for module in corim.comids
        for triple in module.reference_values
        for measurement in triple.measurements
        for _, digest in measurement.digests
    }
    if not measurements or not all(map(_ARCHITECTURE.fullmatch, measurements)):
        raise _not_a_release("it does not say for which architecture a value is")
    return ImageRelease(version, measurements, corim.signer, corim.not_before, corim.not_after)


def _not_a_release(why: str) -> AttestationError:
    return refused(ErrorCode.CLAIM_VALUE, f"the bundle is not a release of the runtime: {why}")
