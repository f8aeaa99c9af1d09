"""Certifies that a WebAssembly module assumes only the Veracruz ABI."""

from tlaxcala.check import check
from tlaxcala.report import Finding, Report
from tlaxcala.rules import RULES, Rule

__all__ = ["RULES", "Finding", "Report", "Rule", "check"]
