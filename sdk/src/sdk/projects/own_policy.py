"""A policy for a program of one's own: what its cases say of inputs and results, in TOML."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from sdk.errors import ProjectError
from sdk.examples.model import Input
from sdk.examples.named_types import resolve
from sdk.examples.policy_template import Described, source_of
from sdk.projects.cases import Datum, ProjectCase, read_cases
from sdk.projects.project import Project

_OF_LANGUAGE: Final = {"python": {"compile_seconds": "300"}}
"""Limits that a language needs more of than the defaults: an interpreter is compiled as well."""


def own_policy(project: Project, *, case: str | None = None) -> str:
    """The source of a policy, by a case of the project.

    Args:
        project: the program.
        case: the name of the case; by default the first that has a result, else the first.

    Raises:
        ProjectError: there is no such case, or two places of it have one name.
    """
    chosen = _chosen(read_cases(project.folder / "tests"), case)
    first = chosen.rounds[0]
    result = next((each.result for each in chosen.rounds if each.result is not None), None)
    inputs = _places(chosen, chosen.inputs, "input", "data provider")
    streams = _places(chosen, first.streams, "stream", "stream provider")
    return source_of(
        Described(
            f"A policy for {project.name}, whose inputs are as in {chosen.path}.",
            str(project.module),
            inputs,
            streams,
            None if result is None else _expression(result),
            _OF_LANGUAGE.get(project.language, {}),
        )
    )


def _chosen(cases: Sequence[ProjectCase], name: str | None) -> ProjectCase:
    if name is None:
        with_result = [one for one in cases if any(each.result for each in one.rounds)]
        return (with_result or list(cases))[0]
    for one in cases:
        if one.name == name:
            return one
    known = ", ".join(one.name for one in cases)
    raise ProjectError(f"there is no case {name!r}; the cases are {known}")


def _places(case: ProjectCase, given: Sequence[Datum], noun: str, party: str) -> list[Input]:
    """The places of one order; without names of their own all are different."""
    places = [
        Input(
            each.label or f"{noun} {number}",
            _expression(each),
            each.party or (f"{party} {number}" if len(given) > 1 else party),
        )
        for number, each in enumerate(given, 1)
    ]
    label, count = max(Counter(each.label for each in places).items(), key=lambda one: one[1],
                       default=("", 0))  # fmt: skip
    if count > 1:
        raise ProjectError(
            f"{case.path}: {count} {noun}s have the name {label!r}: give each its own"
        )
    return places


def _expression(datum: Datum) -> str | None:
    """The type of a datum, written out: a policy knows no names of types."""
    return None if datum.expression is None else str(resolve(datum.expression))
