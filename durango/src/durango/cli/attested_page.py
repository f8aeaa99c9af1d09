"""What was checked of an isolate as a page of one file: for those who have no command line."""

from collections.abc import Mapping
from typing import Final

from durango.chain import chain_of
from durango.cli.attested import attestation_facts, outcome_lines
from durango.errors import GateError
from durango.evidence import Attestation, Passed
from veracruz_shells.page import Code, Step, bullets, page, section, steps, table, verdict
from veracruz_utils.policy import Policy

_HEADING: Final = "Is this the isolate of our policy?"
_MADE_BY: Final = "Made by `durango attest`, by which everybody who has the policy can ask, too."
_DIGEST_LENGTH: Final = 64


def attested_page(attestation: Attestation, policy: Policy) -> str:
    """An isolate that passed: each check with what was found and against what, then what it is."""
    accepted, *more = outcome_lines(attestation)
    return page(
        f"Attestation for policy {policy.digest.short}",
        verdict(accepted, " ".join(more), good=True),
        checks_section(*attestation.checks),
        section("What vouches for what", _chain(attestation)),
        section("The isolate", facts_table(attestation_facts(attestation))),
        heading=_HEADING,
        about=f"Policy {policy.digest}. {_MADE_BY}",
    )


def refused_page(error: GateError, policy: Policy) -> str:
    """An isolate that did not pass: what held before, what failed, and what to do."""
    return page(
        f"Attestation refused for policy {policy.digest.short}",
        verdict(f"refused at {error.check}", "Nothing was sent to the isolate.", good=False),
        checks_section(*error.passed, failed=error),
        section("What to do", bullets([error.remedy])),
        heading=_HEADING,
        about=f"Policy {policy.digest}. {_MADE_BY}",
    )


def checks_section(*passed: Passed, failed: GateError | None = None) -> str:
    """The way through the gate, up to what failed."""
    chain = [
        Step(each.check, (("found", each.found), ("against", each.against))) for each in passed
    ]
    if failed is not None:
        details = (("found", failed.found), ("expected", failed.expected))
        chain.append(Step(failed.check, details, passed=False))
    return section("The isolate, check by check", steps(chain))


def _chain(attestation: Attestation) -> str:
    """From the hardware root to the isolate."""
    rows = ((link.name, link.found, link.because) for link in chain_of(attestation))
    return table(rows, head=("Link", "Found", "Because"))


def facts_table(facts: Mapping[str, object]) -> str:
    """Facts for programs, for people."""
    return table((name.replace("_", " "), _value(each)) for name, each in facts.items())


def _value(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(_value, value)) or "none"
    if isinstance(value, dict):
        return "; ".join(f"{name.replace('_', ' ')} {_value(each)}" for name, each in value.items())
    if value is None or isinstance(value, bool):
        return {None: "not told", True: "yes", False: "no"}[value]
    text = str(value)
    return Code(text) if len(text) >= _DIGEST_LENGTH and " " not in text else text
