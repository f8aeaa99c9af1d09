"""The trusted runtime: lifecycle, roles and the loop of the isolate.

The modules, from the inside out: `lifecycle` (states), `inputs` and `computation` (what the policy
allows), `content` (what is kept), `dialogue` and `session` (one principal), `guest` and
`guest_link` (the program's process), `runtime` (the desk), `front` (the loop), `lockdown` and
`isolate` (the start).
"""

from mexico_city.computation import Computation, Job, Outcome
from mexico_city.errors import PolicyUnusableError, Refusal, RuntimeFailure
from mexico_city.front import Ending
from mexico_city.isolate import run
from mexico_city.lifecycle import NEXT, Event
from mexico_city.runtime import Runtime

__all__ = [
    "NEXT",
    "Computation",
    "Ending",
    "Event",
    "Job",
    "Outcome",
    "PolicyUnusableError",
    "Refusal",
    "Runtime",
    "RuntimeFailure",
    "run",
]
