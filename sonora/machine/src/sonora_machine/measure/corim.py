"""Reference values of an image as a signed CoRIM, that Tabasco imports from whoever it trusts.

One CoMID, in it for each kind of evidence the measurements that it may have. Tabasco takes the
beginning of the validity for the bundle's version: a later one replaces what was said before.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from psa_attestation.cbor.encoding import encode
from psa_attestation.cbor.values import Key, Tag, Value
from psa_attestation.corim import bundle
from psa_attestation.cose import messages
from psa_attestation.cose.signing import sign1
from sonora_machine.errors import MachineError
from sonora_machine.measure.predictions import Prediction

_NAME: Final = "veracruz-machine"
_VENDOR: Final = "veracruz"
_ALGORITHMS: Final = {32: 1, 48: 7}
"""SHA-256 and SHA-384 in the registry of named information, by the size of a digest."""


def sign_reference_values(
    predictions: Iterable[Prediction],
    key: ec.EllipticCurvePrivateKey,
    *,
    label: str,
    signer: str,
    at: datetime,
    lifetime: timedelta,
) -> bytes:
    """The measurements of an image as a signed CoRIM.

    Args:
        predictions: of platforms.
        key: of a provider that Tabasco knows (`reference-values provider add`), on P-256.
        label: what the values are of, for people, such as `machine 0.1.0`.
        signer: how who signs is called.
        at: from when on they count.
        lifetime: for how long.

    Raises:
        MachineError: the key is on another curve.
    """
    if not isinstance(key.curve, ec.SECP256R1):
        raise MachineError(
            f"the key is on {key.curve.name}, and Tabasco knows providers by keys on P-256 "
            "(secp256r1)"
        )
    issued = int(at.timestamp())
    expires = int((at + lifetime).timestamp())
    validity: Value = {0: Tag(bundle.TIME, issued), 1: Tag(bundle.TIME, expires)}
    about: Value = {0: {0: signer}, 1: validity}
    protected: dict[int, Value] = {
        messages.CONTENT_TYPE: bundle.CONTENT,
        bundle.META: encode(about),
    }
    triples: list[Value] = [_triple(each, label) for each in predictions]
    module: Value = {1: {0: f"{_NAME} {label}"}, 4: {0: triples}}
    modules: list[Value] = [Tag(bundle.COMID, encode(module))]
    members: dict[Key, Value] = {0: f"{_NAME} {label}", 1: modules, 4: validity}
    return sign1(encode(Tag(bundle.CORIM, members)), key, protected=protected)


def _triple(prediction: Prediction, label: str) -> Value:
    about: Value = {0: {1: _VENDOR, 2: prediction.kind}}
    # Digests of one measurement are of one content: other values are other measurements.
    measured: list[Value] = [
        {0: name, 1: {0: {0: label}, 2: [[_ALGORITHMS[len(value)], value]]}}
        for name, values in prediction.measurements.items()
        for value in values
    ]
    return [about, measured]
