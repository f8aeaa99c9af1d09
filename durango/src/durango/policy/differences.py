"""What two policies say differently, in the terms of people and not of JSON."""

from collections.abc import Iterator, Mapping
from dataclasses import fields

from durango._html import paragraph, table
from durango._words import layer_names, nan_words, timestamp
from durango.policy.voice import place_line
from veracruz_utils.digest import Digest
from veracruz_utils.frozen import frozen
from veracruz_utils.policy import UNLIMITED, Agreement, Policy, Role


@frozen
class TermDifference:
    """A term that differs; `first` or `second` is None where that policy does not have it."""

    term: str
    first: str | None
    second: str | None

    @property
    def facts(self) -> dict[str, object]:
        """For programs; the keys are stable."""
        return {"term": self.term, "first": self.first, "second": self.second}

    def __str__(self) -> str:
        if self.first is None:
            return f"{self.term}: only the second has it: {self.second}"
        if self.second is None:
            return f"{self.term}: only the first has it: {self.first}"
        return f"{self.term}: {self.first} -> {self.second}"


@frozen
class PolicyDiff:
    """In what two policies differ; `str` of it is text, a line each.

    Attributes:
        first: one.
        second: the other.
        differences: every term that differs. Two policies without any can still be two, by white
            space or the order of names: see `same`.
    """

    first: Policy
    second: Policy
    differences: tuple[TermDifference, ...]

    @property
    def same(self) -> bool:
        """Whether both are one policy, to the last byte."""
        return self.first.digest == self.second.digest

    @property
    def facts(self) -> dict[str, object]:
        """For programs; the keys are stable."""
        return {
            "same": self.same,
            "digests": [self.first.digest, self.second.digest],
            "differences": [each.facts for each in self.differences],
        }

    def __str__(self) -> str:
        if self.same:
            return f"both are policy {self.first.digest}"
        if self.differences:
            return "\n".join(map(str, self.differences))
        return (
            f"they say the same and are two policies all the same, {self.first.digest.short} and "
            f"{self.second.digest.short}: white space or the order of names differs"
        )

    def __repr__(self) -> str:
        both = f"{self.first.digest.short} and {self.second.digest.short}"
        return f"<PolicyDiff: {both}, {len(self.differences)} terms differ>"

    def _repr_html_(self) -> str:
        if not self.differences:
            return paragraph(self)
        rows = [(each.term, each.first or "", each.second or "") for each in self.differences]
        return table(("term", self.first.digest.short, self.second.digest.short), rows)


def diff_policies(first: Policy, second: Policy) -> PolicyDiff:
    """In what two policies differ, in the terms of people, in the order of `policy_terms`.

    Args:
        first: as `read_policy` gave it.
        second: likewise.
    """
    renamed = _renamed(first, second)
    one, other = dict(_terms(first, {})), dict(_terms(second, renamed))
    for number, name in renamed.items():
        one[f"{name}, name"], other[f"{name}, name"] = name, second.named(number)
    found = tuple(
        TermDifference(term, one.get(term), other.get(term))
        for term in dict.fromkeys([*one, *other])
        if one.get(term) != other.get(term)
    )
    return PolicyDiff(first, second, found)


def differing_terms(first: Policy, second: Policy) -> str:
    """The terms that differ in one line, for a refusal of another policy."""
    terms = [each.term for each in diff_policies(first, second).differences]
    if not terms:
        return "they say the same in another form: only white space or the order of names differs"
    return f"they differ in {', '.join(terms[:8])}{' and more' if len(terms) > 8 else ''}"


def policy_terms(policy: Policy) -> Mapping[str, str]:
    """Every term of a policy by its name, each as people say it."""
    return dict(_terms(policy, {}))


def _renamed(first: Policy, second: Policy) -> dict[int, str]:
    """What the first calls those whom the second calls otherwise, by client id of the second.

    It is the certificate that makes somebody the same; two who share a name never are.
    """
    before = {each.certificate: each.label for each in first.identities}
    names = {each.label for each in second.identities}
    return {
        each.client_id: before[each.certificate]
        for each in second.identities
        if before.get(each.certificate, each.label) not in names
    }


@frozen
class _Names:
    """What the people of a policy are called here."""

    policy: Policy
    renamed: Mapping[int, str]

    def named(self, number: int) -> str:
        return self.renamed.get(number) or self.policy.named(number)

    def agreed(self, agreement: Agreement) -> str:
        who = ", ".join(sorted(self.named(number) for number in agreement.of))
        return f"{agreement.least} of {who}"


def _terms(policy: Policy, renamed: Mapping[int, str]) -> Iterator[tuple[str, str]]:
    conduct, result = policy.conduct, policy.result
    people = _Names(policy, renamed)
    yield "format", policy.format.value
    yield "end", timestamp(policy.expires_at)
    yield "program", str(policy.program_digest)
    yield "execution strategy", policy.strategy.value
    yield "debug", "on" if policy.debug else "off"
    yield "deterministic", "yes" if conduct.deterministic else "no"
    yield "bits of NaNs", nan_words(canonical=conduct.canonical_nans)
    yield "sinaloa", str(policy.sinaloa)
    yield "tabasco", str(policy.tabasco)
    key = policy.tabasco_key
    yield "key of tabasco", "none" if key is None else str(Digest.of(key))
    yield "cipher suite", policy.ciphersuite.name
    for identity in policy.identities:
        name = people.named(identity.client_id)
        yield f"{name}, number", str(identity.client_id)
        yield f"{name}, certificate", str(identity.digest)
        roles = ", ".join(role.value for role in Role if role in identity.roles)
        yield f"{name}, roles", roles
    for kind, order, places in (
        ("input", policy.data_provision_order, policy.inputs),
        ("stream", policy.streaming_order, policy.streams),
    ):
        for index, (number, place) in enumerate(zip(order, places, strict=True)):
            what = place_line(place, limit=policy.limits.input_bytes)
            yield f"{kind} {index}", f"of {people.named(number)}: {what}"
    yield "rounds", _count(conduct.rounds)
    yield "attempts", str(conduct.attempts)
    yield "results for each reader", _count(conduct.results_per_reader)
    yield "agreement to another round", people.agreed(conduct.next_round)
    consent = conduct.consent
    yield "consent", "of nobody" if consent is None else people.agreed(consent)
    yield "type of the result", result.type
    yield "size of the result", "any" if result.most_bytes is None else str(result.most_bytes)
    yield "contributors", str(result.contributors)
    privacy = result.privacy
    for name in ("mechanism", "epsilon", "delta", "total_epsilon", "total_delta", "sensitivity"):
        if privacy is not None:
            yield f"privacy, {name.replace('_', ' ')}", str(getattr(privacy, name))
    for platform in policy.platforms:
        for value in sorted(platform.measurements):
            yield f"platform {platform.name}, measurement {value.hex()[:12]}", value.hex()
        for register in platform.machine:
            values = " or ".join(sorted(value.hex() for value in register.values))
            yield f"platform {platform.name}, machine's {register.name}", values
    yield "isolation", layer_names(policy.isolation)
    for field in fields(policy.limits):
        value = getattr(policy.limits, field.name)
        yield f"limit {field.name}", "none" if value is None else str(value)


def _count(number: int) -> str:
    return "any number" if number == UNLIMITED else str(number)
