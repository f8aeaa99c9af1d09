"""What the engine's limits are in a guest process: those of the policy, but for time."""

import dataclasses

from execution_engine.limits import EngineLimits
from veracruz_utils.policy import Limits


def engine_limits(limits: Limits) -> EngineLimits:
    """The limits of a policy; another process keeps time, so the program runs unchecked."""
    return dataclasses.replace(EngineLimits.from_policy(limits), run_seconds=None)
