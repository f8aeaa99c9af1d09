"""A policy's explanation as one HTML file: for a lawyer, a data-protection officer, a board."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

from durango._say import joined, say
from durango._words import timestamp
from durango.policy.explanation import Section
from veracruz_shells.page import Code, bullets, page, said, section, table
from veracruz_utils.digest import Digest
from veracruz_utils.policy import Policy, Role

_DOES: Final = {
    Role.PI_PROVIDER: say("gives the program"),
    Role.DATA_PROVIDER: say("gives data"),
    Role.STREAM_PROVIDER: say("gives data anew in every round"),
    Role.RESULT_READER: say("reads the result"),
}
Marks: TypeAlias = Mapping[tuple[str, int], str]
"""By `program`, `input` or `stream`, and the number of the place."""
_ROW: Final = 64
_LEFT, _MIDDLE, _RIGHT = 10, 300, 610
_BOX: Final = 200


def explanation_page(policy: Policy, sections: Sequence[Section]) -> str:
    """The whole file, in UTF-8."""
    return page(
        f"Policy {policy.digest.short}",
        drawing(policy),
        section("Who takes part", _people(policy)),
        section("What can be compared", _digests(policy)),
        *(section(each.title, bullets(each.lines)) for each in sections),
        heading="What this policy means",
        about=f"Policy {policy.digest}, ends {timestamp(policy.expires_at)}. Made by `durango "
        "policy explain`; the policy itself is what counts, and everybody can make this page from "
        "it.",
    )


def drawing(policy: Policy, marks: Marks | None = None, tell: Callable[[str], str] = str) -> str:
    """Who sends what to the isolate and who gets what of it, as SVG.

    Args:
        policy: whose parties they are.
        marks: what stands before the name of what is given, such as a tick.
        tell: says a sentence in another language.
    """
    givers = _givers(policy, marks or {}, tell)
    readers = [
        (each.label, tell(say("result")))
        for each in policy.identities
        if Role.RESULT_READER in each.roles
    ]
    delegate = tell(say("delegate: {address}", address=str(policy.sinaloa)))
    verifier = tell(say("attestation service: {address}", address=str(policy.tabasco)))
    flows = said(tell(say("parties and flows")))
    together = tell(say("program and inputs, together"))
    height = max(len(givers), len(readers), 3) * _ROW + 84
    centre = height / 2
    tip = (
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path class="tip" d="M0 0 8 4 0 8z" fill="#44617c"/>'
        "</marker></defs>"
    )
    wall = (
        f'<rect class="wall" x="{_MIDDLE - 20}" y="14" width="{_BOX + 40}" '
        f'height="{height - 54:g}" rx="8" fill="#f4f1ea" stroke="#b9ae97" stroke-dasharray="6 4"/>'
    )
    parts = [
        f'<svg viewBox="0 0 820 {height:g}" role="img" aria-label="{flows}">',
        tip,
        wall,
        _text(_MIDDLE + _BOX / 2, 34, _cut(delegate, 40), small=True),
        _box(_MIDDLE, centre - 24, tell(say("isolate")), isolate=True),
        _text(_MIDDLE + _BOX / 2, centre + 44, together, small=True),
        _text(_MIDDLE + _BOX / 2, height - 24, tell(say("vouched for by the")), small=True),
        _text(
            _MIDDLE + _BOX / 2,
            height - 10,
            _cut(verifier, 50),
            small=True,
        ),
    ]
    for index, (name, what) in enumerate(givers):
        y = _row(index, len(givers), height)
        parts += [_box(_LEFT, y - 24, name), _arrow(_LEFT + _BOX, y, _MIDDLE, centre)]
        parts.append(_text(_LEFT + _BOX / 2, y + 36, what, small=True))
    for index, (name, what) in enumerate(readers):
        y = _row(index, len(readers), height)
        parts += [_box(_RIGHT, y - 24, name), _arrow(_MIDDLE + _BOX, centre, _RIGHT, y)]
        parts.append(_text(_RIGHT + _BOX / 2, y + 36, what, small=True))
    return "\n".join([*parts, "</svg>"])


def _givers(policy: Policy, marks: Marks, tell: Callable[[str], str]) -> list[tuple[str, str]]:
    given: dict[str, list[str]] = {}
    for identity in policy.identities:
        if Role.PI_PROVIDER in identity.roles:
            given.setdefault(identity.label, []).append(
                marks.get(("program", 0), "") + tell(say("program"))
            )
    for kind, order, terms in (
        ("input", policy.data_provision_order, policy.inputs),
        ("stream", policy.streaming_order, policy.streams),
    ):
        for index, (number, each) in enumerate(zip(order, terms, strict=True)):
            name = each.name or tell(_number(kind, index))
            what = marks.get((kind, index), "") + name
            given.setdefault(policy.named(number), []).append(what)
    return [(name, _cut(", ".join(what))) for name, what in given.items()]


def _number(kind: str, index: int) -> str:
    if kind == "input":
        return say("input {index}", index=index)
    return say("stream {index}", index=index)


def _cut(text: str, most: int = 30) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _row(index: int, count: int, height: float) -> float:
    return height / 2 + (index - (count - 1) / 2) * _ROW


def _box(x: float, y: float, label: str, *, isolate: bool = False) -> str:
    name, fill = ("isolate", "#dfeee3") if isolate else ("party", "#e6eef7")
    return (
        f'<rect class="{name}" x="{x:g}" y="{y:g}" width="{_BOX}" height="48" rx="6" '
        f'fill="{fill}" stroke="#44617c"/>'
        f"{_text(x + _BOX / 2, y + 29, _cut(label, 24), title=label)}"
    )


def _arrow(x1: float, y1: float, x2: float, y2: float) -> str:
    return (
        f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2 - 2:g}" y2="{y2:g}" stroke="#44617c" '
        'stroke-width="1.5" marker-end="url(#tip)"/>'
    )


def _text(x: float, y: float, text: str, *, small: bool = False, title: str = "") -> str:
    size = 11 if small else 14
    whole = f"<title>{said(title)}</title>" if title and title != text else ""
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size}" text-anchor="middle" '
        f'font-family="system-ui, sans-serif" fill="#1c2733">{whole}{said(text)}</text>'
    )


def who_takes_part(policy: Policy) -> list[tuple[str, str, str]]:
    """Who they are, by what was compared when certificates were exchanged."""
    return [
        (
            each.label,
            joined([_DOES[role] for role in Role if role in each.roles], ", "),
            str(each.digest),
        )
        for each in policy.identities
    ]


def comparable(policy: Policy) -> list[tuple[str, str]]:
    """What else can be compared with what its owner says of it."""
    key = policy.tabasco_key
    return [
        (say("Program"), str(policy.program_digest)),
        (
            say("Key of the attestation service"),
            say("none is named") if key is None else str(Digest.of(key)),
        ),
        *(
            (say("Runtime on {platform}", platform=platform.name), measurement.hex())
            for platform in policy.platforms
            for measurement in sorted(platform.measurements)
        ),
        *(
            (
                say(
                    "Machine on {platform}, register {register}",
                    platform=platform.name,
                    register=register.name,
                ),
                value.hex(),
            )
            for platform in policy.platforms
            for register in platform.machine
            for value in sorted(register.values)
        ),
    ]


def _people(policy: Policy) -> str:
    head = ("Principal", "Part", "Fingerprint of the certificate")
    rows = ((who, does, Code(digest)) for who, does, digest in who_takes_part(policy))
    return table(rows, head=head)


def _digests(policy: Policy) -> str:
    rows = ((what, Code(digest)) for what, digest in comparable(policy))
    return table(rows, head=("What", "Fingerprint"))
