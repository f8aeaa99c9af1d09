"""Errors of the demonstration, of the simulation and of the units.

VeracruzError
├ ServiceError    a service did not start, or ended before its time
├ SimulationError a policy cannot be simulated, or not with what was given
└ UnitError       units cannot be written for this installation
"""

from veracruz_utils.errors import VeracruzError


class ServiceError(VeracruzError):
    """A service did not start, or ended before its time; the message has its last words."""


class SimulationError(VeracruzError):
    """A policy cannot be simulated, or not with what was given; the message says what to give."""


class UnitError(VeracruzError):
    """Units cannot be written for this installation; the message says why."""
