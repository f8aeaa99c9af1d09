"""What the engine's limits are in an isolate: those of the policy, but for time."""

import dataclasses

from execution_engine.limits import EngineLimits
from veracruz_utils.policy import Policy


def engine_limits(policy: Policy) -> EngineLimits:
    """The limits of the policy; the front process keeps time, so the program runs unchecked."""
    return dataclasses.replace(EngineLimits.from_policy(policy.limits), run_seconds=None)
