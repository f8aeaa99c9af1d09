"""Certifies that a WebAssembly module assumes only the Veracruz ABI, and says what it is."""

from tlaxcala.certificate import Difference, certify, differences
from tlaxcala.check import check
from tlaxcala.errors import CertificateError, TlaxcalaError
from tlaxcala.profile import Profile
from tlaxcala.report import Finding, Report
from tlaxcala.rules import RULES, Rule

__all__ = [
    "RULES",
    "CertificateError",
    "Difference",
    "Finding",
    "Profile",
    "Report",
    "Rule",
    "TlaxcalaError",
    "certify",
    "check",
    "differences",
]
