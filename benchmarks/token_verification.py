"""Tabasco's verification of a token, against one raw ES256 verification by `cryptography`.

Ours is all that the service does for a request once it is off the network: it reads the token,
looks the instance up in the database, verifies, and signs a result.
"""

import secrets
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from measuring import Figure, at_least, in_pairs, run, seconds

from colima.tabasco import VerifyTokenRequest
from psa_attestation.tokens.instance_id import instance_id_of
from psa_attestation.tokens.runtime import mint_runtime_token
from tabasco.collateral import Store, StoredCollateral
from tabasco.registry.database import Database, sqlite_url
from tabasco.registry.instances import Enrolment, Instances
from tabasco.registry.key_ring import KeyRing
from tabasco.service.attestation import AttestationService, Settings
from veracruz_utils.policy import LINUX_SOFTWARE, IsolationLayer
from veracruz_utils.public_keys import der_of

_TOKENS = 300
_INSTANCES = 100


def measure(rounds: int) -> list[Figure]:
    """Verify tokens in Tabasco's service, and signatures alone."""
    with (
        tempfile.TemporaryDirectory(prefix="veracruz-bench-") as folder,
        Database.open(sqlite_url(Path(folder) / "tabasco.db")) as database,
    ):
        key = _enrol(database)
        service = AttestationService(
            database=database,
            key_ring=KeyRing.single(ec.generate_private_key(ec.SECP256R1())),
            build="0",
            now=lambda: datetime.now(UTC),
            settings=Settings(),
            source=StoredCollateral(Store(Path(folder, "collateral"))),
        )
        return _compare(service, key, rounds)


def _compare(
    service: AttestationService, key: ec.EllipticCurvePrivateKey, rounds: int
) -> list[Figure]:
    requests = [_request(key) for _ in range(_TOKENS)]
    algorithm = ec.ECDSA(SHA256())
    signed = [(key.sign(each.token, algorithm), each.token) for each in requests]
    public = key.public_key()

    def ours() -> None:
        for request in requests:
            service.verify_token(request)

    def raw() -> None:
        for signature, message in signed:
            public.verify(signature, message, algorithm)

    paired = in_pairs(lambda: seconds(ours), lambda: seconds(raw), rounds=rounds)
    return [
        Figure(
            "rate of token verification in Tabasco",
            "raw ES256 verification",
            paired.rate_ratios,
            at_least(0.5),
        ),
        *(
            Figure(what, "each", [each / _TOKENS * 1e6 for each in times], unit="us")
            for what, times in (
                ("one token verification", paired.ours),
                ("one raw verification", paired.reference),
            )
        ),
    ]


def _enrol(database: Database) -> ec.EllipticCurvePrivateKey:
    """Enrol some instances; the key of the last."""
    now = datetime.now(UTC)
    for _ in range(_INSTANCES):
        key = ec.generate_private_key(ec.SECP256R1())
        Instances(database).enrol(
            Enrolment(
                instance_id=instance_id_of(key.public_key()),
                public_key=der_of(key.public_key()),
                platform=LINUX_SOFTWARE,
                measurement=bytes(32),
                version="0",
                root_number=None,
                enrolled_at=now,
                expires_at=now + timedelta(days=1),
            )
        )
    return key


def _request(key: ec.EllipticCurvePrivateKey) -> VerifyTokenRequest:
    challenge = secrets.token_bytes(32)
    token = mint_runtime_token(
        key=key,
        challenge=challenge,
        platform=LINUX_SOFTWARE,
        runtime_measurement=secrets.token_bytes(32),
        runtime_version="0",
        certificate_digest=secrets.token_bytes(32),
        policy_digest=secrets.token_bytes(32),
        isolation=frozenset(IsolationLayer),
    )
    return VerifyTokenRequest(token, challenge)


if __name__ == "__main__":
    run("token_verification", measure, rounds=15)
