"""What Arm's profiles of CoRIM ask for beyond the format.

PSA and CCA platforms are named by their implementation id, keys by an instance id; a CCA realm is
named by its initial measurement. (draft-fdb-rats-psa-endorsements, draft-ydb-rats-cca-endorsements)
"""

from collections.abc import Iterable
from typing import Final

from psa_attestation.cbor.members import refused
from psa_attestation.corim.comid import AttestKeys, Comid, Environment, Measurement, ReferenceTriple
from psa_attestation.errors import ErrorCode

PSA_PROFILE: Final = "tag:arm.com,2025:psa#1.0.0"
CCA_PROFILE: Final = "tag:arm.com,2025:cca_platform#1.0.0"
REALM_PROFILE: Final = "tag:arm.com,2025:cca_realm#1.0.0"

_HASHES: Final = (32, 48, 64)
_INITIAL: Final = "cca.rim"
_PERSONAL: Final = "cca.rpv"
_BY_DIGEST: Final = frozenset({_INITIAL, "cca.rem0", "cca.rem1", "cca.rem2", "cca.rem3"})


def check_profile(profile: str | None, comids: Iterable[Comid]) -> None:
    """Refuse what a bundle of this profile must not hold; other profiles ask for nothing here.

    Raises:
        AttestationError: stage `claims`.
    """
    for comid in comids:
        if profile in (PSA_PROFILE, CCA_PROFILE):
            _check_devices(comid)
        elif profile == REALM_PROFILE:
            _check_realms(comid)


def _check_devices(comid: Comid) -> None:
    statements: list[ReferenceTriple | AttestKeys] = [*comid.reference_values, *comid.attest_keys]
    for statement in statements:
        _check_class(statement.environment, (32,), "an implementation id")
    for keys in comid.attest_keys:
        instance = keys.environment.instance
        if instance is None or instance[0] != "ueid" or len(instance[1]) != 33:
            raise refused(ErrorCode.INSTANCE_ID_LENGTH, "the instance is not an instance id")
        if len(keys.keys) != 1:
            raise refused(ErrorCode.CLAIM_VALUE, f"{len(keys.keys)} keys for one instance")


def _check_realms(comid: Comid) -> None:
    if comid.attest_keys:
        raise refused(ErrorCode.CLAIM_VALUE, "a realm has its key in its token, not in a bundle")
    for values in comid.reference_values:
        _check_class(values.environment, _HASHES, "a realm's initial measurement")
        keys = [measurement.key for measurement in values.measurements]
        if _INITIAL not in keys:
            raise refused(ErrorCode.CLAIM_VALUE, f"a realm without its {_INITIAL}")
        if len(set(keys)) != len(keys):
            raise refused(ErrorCode.CLAIM_VALUE, "an element of a realm is measured twice")
        for measurement in values.measurements:
            _check_element(measurement)


def _check_element(measurement: Measurement) -> None:
    if measurement.key == _PERSONAL:
        given = measurement.raw is not None
    elif measurement.key in _BY_DIGEST:
        given = bool(measurement.digests)
    else:
        raise refused(
            ErrorCode.CLAIM_VALUE, f"{str(measurement.key)[:40]!r} is not an element of a realm"
        )
    if not given:
        raise refused(ErrorCode.CLAIM_VALUE, f"{measurement.key} does not say its value")


def _check_class(environment: Environment, sizes: tuple[int, ...], what: str) -> None:
    class_id = environment.class_id
    if class_id is None or class_id[0] != "bytes" or len(class_id[1]) not in sizes:
        raise refused(ErrorCode.IMPLEMENTATION_ID_LENGTH, f"the class id is not {what}")
