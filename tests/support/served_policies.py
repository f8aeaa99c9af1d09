"""Policies that a bridge may serve now."""

from datetime import UTC, datetime

from support.policies import DAY, certificate, key_of, public_key_der
from support.sinaloa_fakes import MEASUREMENT
from veracruz_utils.address import Address
from veracruz_utils.digest import Digest
from veracruz_utils.policy import (
    LINUX_SOFTWARE,
    TLS_1_3_SUITES,
    AcceptedPlatform,
    PolicyIdentity,
    Role,
    Strategy,
)
from veracruz_utils.policy.rendering import render_policy


def policy_text(*, measurement: bytes = MEASUREMENT, sinaloa: str = "127.0.0.1:3017") -> bytes:
    """A policy for one principal, valid now."""
    now = datetime.now(UTC).replace(microsecond=0)
    today = now.replace(hour=0, minute=0, second=0)
    der = certificate("sole principal", not_before=today - DAY, not_after=today + 30 * DAY)
    return render_policy(
        at=now,
        identities=[PolicyIdentity(0, der, frozenset(Role))],
        sinaloa=Address.parse(sinaloa),
        tabasco=Address("127.0.0.1", 3010),
        tabasco_key=public_key_der(key_of("tabasco")),
        expires_at=now + DAY,
        ciphersuite=TLS_1_3_SUITES[0],
        platforms=[AcceptedPlatform(LINUX_SOFTWARE, frozenset({measurement}))],
        data_provision_order=[0],
        program_digest=Digest.of(b"program"),
        strategy=Strategy.JIT,
    )
