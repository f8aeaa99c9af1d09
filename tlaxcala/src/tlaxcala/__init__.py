"""Certifies that a WebAssembly module assumes only the Veracruz ABI, and says what it is."""

from tlaxcala.certificate import Difference, certify, differences
from tlaxcala.check import check
from tlaxcala.errors import CertificateError, TlaxcalaError
from tlaxcala.profile import ModuleProfile
from tlaxcala.report import CertificationReport, Finding
from tlaxcala.rules import RULES, Rule

__all__ = [
    "RULES",
    "CertificateError",
    "CertificationReport",
    "Difference",
    "Finding",
    "ModuleProfile",
    "Rule",
    "TlaxcalaError",
    "certify",
    "check",
    "differences",
]
