"""What each view and part is filled with, out of what the desk knows."""

from collections.abc import Awaitable, Callable
from typing import Final

from markupsafe import Markup

from colima.runtime import ComputationState, ContentKind, Filling, InputPlace
from durango._say import say
from durango._words import layer_names
from durango.chain import chain_of
from durango.input_places import PlaceOfInput, place_of, places
from durango.platforms import protection
from durango.policy.explanation import Section, sections_of
from durango.policy.page import Marks, comparable, drawing, who_takes_part
from durango.receipts import balance_lines
from durango.rights import require_place
from durango.standing import ComputationStatus
from durango.ui.checks import comparisons, run_of
from durango.ui.choosing import DELIMITERS, ENCODINGS
from durango.ui.desk import READY, Desk, HowFar
from durango.ui.gate_words import EXPLAINED, NAMES
from durango.ui.pages import tell
from durango.ui.results import is_rows
from veracruz_shells.local_page.door import Door
from veracruz_utils.errors import VeracruzError
from veracruz_utils.frozen import frozen
from veracruz_utils.policy import RESULT_READERS, Role

Filled = dict[str, object]
_NAMES: Final = {
    ContentKind.PROGRAM: "program",
    ContentKind.DATA: "input",
    ContentKind.STREAM: "stream",
}
_MARKS: Final = {Filling.MISSING: "○ ", Filling.ARRIVING: "◔ ", Filling.FILLED: "✓ "}
_ON_THE_OVERVIEW: Final = ("summary", "gives", "learns")


@frozen
class OwnPlace:
    """Something that this principal gives.

    Attributes:
        kind: program, data or stream.
        package: its number among this principal's of that kind.
        label: what the policy calls it.
        place: what the policy says of it; None of the program.
        there: what the isolate says of it; None before it said.
    """

    kind: ContentKind
    package: int
    label: str
    place: PlaceOfInput | None
    there: InputPlace | None


class Showing:
    """Fills views."""

    def __init__(self, desk: Desk, door: Door) -> None:
        self._desk = desk
        self._door = door
        self._policy = desk.seat.policy
        self._member = desk.seat.member
        self._fill: dict[str, Callable[[], Awaitable[Filled]]] = {
            "overview": self._overview,
            "meaning": self._meaning,
            "standing": self._standing,
            "places": self._places,
            "isolate": self._isolate,
            "part": self._part,
            "result": self._result,
            "receipts": self._receipts,
        }

    async def of(self, name: str, language: str) -> Filled:
        """What the template of this name is filled with, for a reader of this language."""
        common = {
            "policy": self._policy,
            "member": self._member,
            "look": self._desk.look,
            "reads": bool(self._member.roles & RESULT_READERS),
            "trouble": self._desk.troubles.get(name, ""),
        }
        filled = common | await self._fill[name]()
        if name == "places":
            picture = drawing(self._policy, self._marks(), tell(language))
            filled["drawing"] = Markup(picture)  # noqa: S704 - it escapes what is said
        return filled

    async def _overview(self) -> Filled:
        return {"sections": [each for each in self._sections() if each.key in _ON_THE_OVERVIEW]}

    async def _meaning(self) -> Filled:
        return {
            "sections": self._sections(),
            "people": who_takes_part(self._policy),
            "comparable": comparable(self._policy),
            "page_ticket": self._door.ticket("explanation"),
        }

    async def _standing(self) -> Filled:
        state = self._desk.look.state
        return {"status": None if state is None else ComputationStatus(state, self._policy)}

    async def _places(self) -> Filled:
        state = self._desk.look.state
        facts = {} if state is None else ComputationStatus(state, self._policy).facts
        return {"places": facts.get("places", ()), "facts": facts}

    def _marks(self) -> Marks:
        state = self._desk.look.state
        there = () if state is None else state.places
        return {
            (_NAMES[each.kind], 0 if each.kind is ContentKind.PROGRAM else each.index): _MARKS[
                each.filling
            ]
            for each in there
        }

    async def _isolate(self) -> Filled:
        attestation = self._desk.look.attestation
        filled: Filled = {"names": NAMES, "explained": EXPLAINED}
        if attestation is not None:
            filled |= {
                "protection": protection(attestation.platform),
                "links": chain_of(attestation),
                "layers": layer_names(attestation.isolation),
            }
        return filled

    async def _part(self) -> Filled:
        policy, state = self._policy, self._desk.look.state
        agreement = policy.conduct.consent
        awaited = () if state is None else state.consent_awaited
        return {
            "places": self._own_places(),
            "sendings": self._desk.sendings,
            "openings": {
                place: self._door.ticket(f"opening {place[0].name} {place[1]}")
                for place in self._desk.openings
            },
            "asked": agreement is not None and self._member.client_id in agreement.of,
            "consented": state is not None and self._member.client_id not in awaited,
            "ran": state is not None and bool(state.attempt or state.round > 1 or state.receipts),
            "delimiters": tuple(DELIMITERS),
            "encodings": ENCODINGS,
            "HowFar": HowFar,
            "Filling": Filling,
            "State": ComputationState,
            "ContentKind": ContentKind,
        }

    async def _result(self) -> Filled:
        fetching, state = self._desk.fetching, self._desk.look.state
        kind = self._policy.result.kind
        filled: Filled = {
            "fetching": fetching,
            "HowFar": HowFar,
            "ready": state is not None and state.state in READY and not state.consent_awaited,
            "failed": state is not None and state.failure.value != 0,
            "shown": None,
            "tickets": {},
            "more_rounds": state is not None
            and state.state is ComputationState.FINISHED_EXECUTING
            and state.round < self._policy.conduct.rounds,
        }
        if fetching is not None and fetching.result is not None:
            filled["shown"] = fetching.shown
            names = ["result", *(["result.csv"] if is_rows(kind) else [])]
            names += ["result.json"] if kind is not None else []
            filled["tickets"] = {name: self._door.ticket(name) for name in names}
        return filled

    async def _receipts(self) -> Filled:
        trouble = ""
        found = []
        try:
            found = await self._desk.receipts()
        except VeracruzError as error:
            trouble = str(error)
        attestation = self._desk.look.attestation
        if attestation is None:
            return {"receipts": (), "trouble": trouble, "bundle": None}
        openings = tuple(self._desk.openings.values())
        fetching = self._desk.fetching
        outcome = None if fetching is None else fetching.outcome
        return {
            "receipts": [
                (
                    receipt,
                    run_of(receipt),
                    comparisons(receipt, attestation, self._policy, openings, outcome),
                    balance_lines(receipt),
                )
                for receipt, _ in reversed(found)
            ],
            "trouble": trouble,
            "bundle": self._door.ticket("bundle") if found else None,
        }

    def _sections(self) -> tuple[Section, ...]:
        return sections_of(self._policy)

    def _own_places(self) -> list[OwnPlace]:
        """What this principal gives, in the order in which it is given."""
        policy, member = self._policy, self._member
        found = []
        if Role.PI_PROVIDER in member.roles:
            there = self._there(ContentKind.PROGRAM, 0)
            found.append(OwnPlace(ContentKind.PROGRAM, 0, say("program"), None, there))
        for kind in (ContentKind.DATA, ContentKind.STREAM):
            own = [each for each in places(policy, kind) if each.client_id == member.client_id]
            for package in range(len(own)):
                require_place(policy, member, kind, package)
                place = place_of(policy, member, kind, package)
                assert place.index is not None
                there = self._there(kind, place.index)
                found.append(OwnPlace(kind, package, place.label, place, there))
        return found

    def _there(self, kind: ContentKind, index: int) -> InputPlace | None:
        state = self._desk.look.state
        if state is None:
            return None
        for each in state.places:
            if each.kind is kind and (kind is ContentKind.PROGRAM or each.index == index):
                return each
        return None
