"""What a run is held to: a policy's terms, or those of a policy that allows one principal all."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificate

from execution_engine.limits import EngineLimits
from mexico_city.limits import engine_limits
from sdk.errors import UsageError
from veracruz_shells.files import read_file
from veracruz_utils.digest import Digest
from veracruz_utils.frozen import frozen
from veracruz_utils.policy import (
    TLS_1_3_SUITES,
    UNLIMITED,
    Address,
    Agreement,
    Conduct,
    InputTerms,
    Limits,
    Policy,
    PolicyFormat,
    PolicyIdentity,
    ResultTerms,
    Role,
    Strategy,
    ciphersuite_named,
)

ANYONE: Final = PolicyIdentity(0, b"", frozenset(Role))
"""The one principal where there is no policy."""
_MAX_CERTIFICATE_BYTES: Final = 64 * 1024
_NOWHERE: Final = Address("127.0.0.1", 1)


@frozen
class Terms:
    """What a run is held to.

    Attributes:
        policy: who provides what in which order, the program, the strategy, the limits.
        stated: SHA-256 of the policy, if somebody wrote it.
        provider: who provides the program.
        reader: who asks for the result.
        limits: of the engine; `run_seconds` is None, because its process is ended instead.
        compile_seconds: wall-clock time of checking and compiling.
        run_seconds: wall-clock time of one round.
    """

    policy: Policy
    stated: Digest | None
    provider: PolicyIdentity
    reader: PolicyIdentity
    limits: EngineLimits
    compile_seconds: float
    run_seconds: float


def terms_of_policy(policy: Policy, *, reader: PolicyIdentity | None = None) -> Terms:
    """The terms of a policy.

    Args:
        policy: the policy.
        reader: who asks for the result; by default the first who may.
    """
    may = [each for each in policy.identities if Role.RESULT_READER in each.roles]
    (provider,) = (each for each in policy.identities if Role.PI_PROVIDER in each.roles)
    return Terms(
        policy=policy,
        stated=policy.digest,
        provider=provider,
        reader=reader or may[0],
        limits=engine_limits(policy.limits),
        compile_seconds=policy.limits.compile_seconds,
        run_seconds=policy.limits.run_seconds,
    )


def terms_without_policy(
    program: Digest,
    *,
    inputs: int,
    streams: int,
    strategy: Strategy,
    canonical_nans: bool,
    limits: Limits,
    run_seconds: float,
) -> Terms:
    """Terms under which one principal may do all.

    Args:
        program: SHA-256 of the module.
        inputs: how many static inputs there are.
        streams: how many stream inputs each round has.
        strategy: how the program runs.
        canonical_nans: every NaN has the same bits everywhere.
        limits: what it may use; `run_seconds` of them is not used.
        run_seconds: wall-clock time of one round; parts of a second may be of use to a test.
    """
    now = datetime.now(UTC)
    policy = Policy(
        raw=b"",
        digest=Digest.of(b""),
        format=PolicyFormat.CURRENT,
        identities=(ANYONE,),
        sinaloa=_NOWHERE,
        tabasco=_NOWHERE,
        tabasco_key=None,
        expires_at=now,
        ciphersuite=ciphersuite_named("TLS_AES_256_GCM_SHA384", TLS_1_3_SUITES),
        platforms=(),
        data_provision_order=(ANYONE.client_id,) * inputs,
        streaming_order=(ANYONE.client_id,) * streams,
        program_digest=program,
        debug=True,
        strategy=strategy,
        limits=limits,
        isolation=frozenset(),
        conduct=Conduct(
            rounds=UNLIMITED,
            attempts=1,
            results_per_reader=UNLIMITED,
            next_round=Agreement(1, frozenset({ANYONE.client_id})),
            canonical_nans=canonical_nans,
            repairs=False,
        ),
        inputs=(InputTerms(),) * inputs,
        streams=(InputTerms(),) * streams,
        result=ResultTerms(),
    )
    return Terms(
        policy=policy,
        stated=None,
        provider=ANYONE,
        reader=ANYONE,
        limits=engine_limits(limits),
        compile_seconds=limits.compile_seconds,
        run_seconds=run_seconds,
    )


def client_named(policy: Policy, client_id: int) -> PolicyIdentity:
    """The principal with this id.

    Raises:
        UsageError: there is none.
    """
    for each in policy.identities:
        if each.client_id == client_id:
            return each
    known = ", ".join(str(each.client_id) for each in policy.identities)
    raise UsageError(f"the policy has no client {client_id}; its clients are {known}")


def reader_named(policy: Policy, text: str) -> PolicyIdentity:
    """The principal with this client id, or with the certificate in this file.

    Raises:
        UsageError: there is none.
        VeracruzError: there is no such file.
    """
    if text.isascii() and text.isdigit():
        return client_named(policy, int(text))
    pem = read_file(Path(text), limit=_MAX_CERTIFICATE_BYTES, what="certificate")
    try:
        certificate = load_pem_x509_certificate(pem).public_bytes(Encoding.DER)
    except ValueError:
        raise UsageError(f"{text} is neither a client id nor a certificate in PEM") from None
    found = policy.identity_of(certificate)
    if found is None:
        raise UsageError(f"no principal of the policy has the certificate {text}")
    return found
