"""What a policy means, as a value: sentences for people, facts for programs, a page for lawyers."""

from dataclasses import field

from durango._html import bullets, heading
from durango.policy.explanation import Section, sections_of
from durango.policy.page import drawing, explanation_page
from veracruz_utils.frozen import frozen
from veracruz_utils.policy import Policy


@frozen
class PolicyExplanation:
    """The meaning of a policy; `str` of it is text, and a notebook shows it with a drawing.

    Attributes:
        policy: the policy.
        sections: question by question.
    """

    policy: Policy
    sections: tuple[Section, ...] = field(repr=False)

    def __getitem__(self, key: str) -> tuple[str, ...]:
        """The sentences of one section, by its key, such as `learns`.

        Raises:
            KeyError: there is no such section.
        """
        for section in self.sections:
            if section.key == key:
                return section.lines
        raise KeyError(key)

    @property
    def facts(self) -> dict[str, object]:
        """The sections for programs, by their keys, which are stable."""
        return {each.key: list(each.lines) for each in self.sections}

    def to_html(self) -> str:
        """A page of one file, for a lawyer or a data-protection officer."""
        return explanation_page(self.policy, self.sections)

    def __str__(self) -> str:
        return "\n\n".join(
            "\n".join([each.title, *[f"  - {line}" for line in each.lines]])
            for each in self.sections
        )

    def _repr_html_(self) -> str:
        parts = [heading(each.title) + bullets(each.lines) for each in self.sections]
        return "".join([drawing(self.policy), *parts])


def explain_policy(policy: Policy) -> PolicyExplanation:
    """What a policy means in plain words: who learns what, who can do what, what is not safe.

    Args:
        policy: as `read_policy` gave it.
    """
    return PolicyExplanation(policy, sections_of(policy))
