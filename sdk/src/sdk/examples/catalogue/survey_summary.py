"""survey-summary: what those asked in a survey answered, region by region, without saying who."""

from collections import Counter, defaultdict
from typing import Final, TypedDict, cast

from sdk.examples.draw import pick, seeded, whole
from sdk.examples.model import Case, Example, Input, NamedType
from veracruz_utils.encoding.pinecone import Value, decode, encode

_INTERVIEWS: Final = NamedType(
    "interviews",
    "Vec<{region: String, age: Option<u8>,"
    " answer: enum {Refused, Grade(u8), Words(String), Both{grade: u8, words: String}}}>",
    "an input of survey-summary: those of one interviewer",
)
_SURVEY: Final = NamedType(
    "survey",
    "BTreeMap<String, {asked: u32, refused: u32, ages: Option<(u8, u8)>,"
    " grades: BTreeMap<u8, u32>, words: Vec<String>}>",
    "result of survey-summary",
)
_INTERVIEWERS: Final = 3
_LEAST_ASKED: Final = 5
_REGIONS: Final = ("north", "east", "south", "west", "überall")
_WORDS: Final = ("too slow", "good", "", "does what it says", "ñandú")


class _Interview(TypedDict):
    region: str
    age: int | None
    answer: str | dict[str, object]


def _generate(seed: int, size: int) -> Case:
    """`size` interviews of each interviewer."""
    random = seeded(seed)

    def answer() -> Value:
        grade, words = whole(random, 1, 6), pick(random, _WORDS)
        both: Value = {"grade": grade, "words": words}
        kinds: list[Value] = ["Refused", {"Grade": grade}, {"Words": words}, {"Both": both}]
        return pick(random, kinds)

    def interview() -> Value:
        age = whole(random, 15, 99)
        return {
            "region": pick(random, _REGIONS),
            "age": None if age < 30 else age,
            "answer": answer(),
        }

    return Case(
        tuple(
            encode(_INTERVIEWS.kind, [interview() for _ in range(size)])
            for _ in range(_INTERVIEWERS)
        )
    )


def _expected(case: Case) -> list[Value]:
    regions: dict[str, list[_Interview]] = defaultdict(list)
    for data in case.inputs:
        for each in cast("list[_Interview]", decode(_INTERVIEWS.kind, data)):
            regions[each["region"]].append(each)
    return [
        {
            region: _summary(regions[region])
            for region in sorted(regions, key=str.encode)
            if len(regions[region]) >= _LEAST_ASKED
        }
    ]


def _summary(interviews: list[_Interview]) -> Value:
    ages = [each["age"] for each in interviews if each["age"] is not None]
    answers = [each["answer"] for each in interviews]
    parts = [part for answer in answers if isinstance(answer, dict) for part in _parts(answer)]
    grades = Counter(part for part in parts if isinstance(part, int))
    words: list[Value] = [part for part in parts if isinstance(part, str)]
    return {
        "asked": len(interviews),
        "refused": answers.count("Refused"),
        "ages": (min(ages), max(ages)) if ages else None,
        "grades": [(grade, grades[grade]) for grade in sorted(grades)],
        "words": sorted(words, key=str),
    }


def _parts(answer: dict[str, object]) -> list[object]:
    """The grade and the words of an answer, of those that it has."""
    (content,) = answer.values()
    return list(content.values()) if isinstance(content, dict) else [content]


EXAMPLE: Final = Example(
    name="survey-summary",
    summary="what those asked in a survey answered, region by region, without saying who",
    language="rust",
    inputs=tuple(
        Input(f"interviews-{number}", _INTERVIEWS.expression, f"interviewer {number}")
        for number in range(1, _INTERVIEWERS + 1)
    ),
    result=_SURVEY.expression,
    types=(_INTERVIEWS, _SURVEY),
    codes={-2: "no input", -4: "an input does not decode"},
    generate=_generate,
    default_size=100,
    expected=_expected,
)
