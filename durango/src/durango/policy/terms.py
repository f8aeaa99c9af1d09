"""What a policy says of inputs and of the result, for people to read and for programs."""

from durango._words import nan_words, printable, size
from veracruz_utils.policy import (
    OPAQUE,
    UNLIMITED,
    Agreement,
    InputTerms,
    Policy,
    PolicyFormat,
    Privacy,
    decimal_text,
)


def conduct_facts(policy: Policy) -> dict[str, object]:
    """How the computation is conducted, for programs; the keys are stable."""
    conduct = policy.conduct
    return {
        "rounds": None if conduct.rounds == UNLIMITED else conduct.rounds,
        "attempts": conduct.attempts,
        "results_per_reader": None
        if conduct.results_per_reader == UNLIMITED
        else conduct.results_per_reader,
        "next_round": _agreement_facts(conduct.next_round),
        "consent": None if conduct.consent is None else _agreement_facts(conduct.consent),
        "deterministic": conduct.deterministic,
        "canonical_nans": conduct.canonical_nans,
    }


def conduct_rows(policy: Policy) -> list[tuple[str, str]]:
    """How the computation is conducted, for people; nothing of a policy of 2021."""
    if policy.format is PolicyFormat.VERACRUZ_2021:
        return []
    conduct = policy.conduct
    begun = f"another is begun by {_agreement_words(policy, conduct.next_round)}"
    rows = [("rounds", f"{conduct.rounds}, {conduct.attempts} attempts in each; {begun}")]
    if conduct.consent is not None:
        rows.append(("consent", f"of {_agreement_words(policy, conduct.consent)}"))
    if conduct.deterministic:
        rows.append(("random", "from a seed that receipts tell"))
    rows.append(("NaN bits", nan_words(canonical=conduct.canonical_nans)))
    return rows


def _agreement_facts(agreement: Agreement) -> dict[str, object]:
    return {"least": agreement.least, "of": sorted(agreement.of)}


def _agreement_words(policy: Policy, agreement: Agreement) -> str:
    names = ", ".join(policy.named(number) for number in sorted(agreement.of))
    return names if agreement.least == len(agreement.of) else f"{agreement.least} of {names}"


def terms_facts(policy: Policy) -> dict[str, object]:
    """For programs; the keys are stable."""
    result = policy.result
    return {
        "inputs": [_input_facts(terms) for terms in policy.inputs],
        "streams": [_input_facts(terms) for terms in policy.streams],
        "result": {
            "type": result.type,
            "bytes": result.most_bytes,
            "contributors": result.contributors,
            "privacy": None if result.privacy is None else _privacy_facts(result.privacy),
        },
    }


def terms_rows(policy: Policy) -> list[tuple[str, str]]:
    """For people: a name and a line each."""
    rows = [
        (f"{name} {index}", f"{policy.named(client_id)}: {_input_line(terms)}")
        for name, order, all_terms in (
            ("input", policy.data_provision_order, policy.inputs),
            ("stream", policy.streaming_order, policy.streams),
        )
        for index, (client_id, terms) in enumerate(zip(order, all_terms, strict=True))
        if terms != InputTerms()
    ]
    result = policy.result
    said = [] if result.type == OPAQUE else [printable(result.type, most=300)]
    if result.most_bytes is not None:
        said.append(f"at most {size(result.most_bytes)}")
    if result.contributors:
        said.append(f"released if {result.contributors} principals or more gave an input")
    if said:
        rows.append(("result", ", ".join(said)))
    if result.privacy is not None:
        rows.append(("privacy", _privacy_line(result.privacy)))
    return rows


def releases(privacy: Privacy) -> int:
    """How many releases the budget pays for."""
    counts = [privacy.total_epsilon // privacy.epsilon]
    if privacy.delta:
        counts.append(privacy.total_delta // privacy.delta)
    return min(counts)


def _input_facts(terms: InputTerms) -> dict[str, object]:
    return {"name": terms.name, "type": terms.type, "bytes": terms.most_bytes}


def _input_line(terms: InputTerms) -> str:
    said = [printable(terms.name)] if terms.name else []
    said.append(printable(terms.type, most=300))
    if terms.most_bytes is not None:
        said.append(f"at most {size(terms.most_bytes)}")
    return ", ".join(said)


def _privacy_facts(privacy: Privacy) -> dict[str, object]:
    numbers = [
        (name, getattr(privacy, name))
        for name in ("epsilon", "delta", "total_epsilon", "total_delta", "sensitivity")
    ]
    return {
        "mechanism": privacy.mechanism.value,
        **{name: decimal_text(number) for name, number in numbers},
        "releases": releases(privacy),
    }


def _privacy_line(privacy: Privacy) -> str:
    facts = _privacy_facts(privacy)
    delta = f", delta {facts['delta']} of {facts['total_delta']}" if privacy.delta else ""
    return (
        f"{facts['mechanism']} noise, sensitivity {facts['sensitivity']}; a release costs epsilon "
        f"{facts['epsilon']} of {facts['total_epsilon']}{delta}: {facts['releases']} in all"
    )
