"""What the current format says of how a computation is conducted, read and checked.

All of it may be left out: what is not said is the safest that still lets a computation end.
"""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Final, Literal, TypeAlias

import msgspec

from veracruz_utils.encoding import kinds
from veracruz_utils.encoding.errors import TypeExpressionError
from veracruz_utils.encoding.grammar import parse_type
from veracruz_utils.policy._shared import SharedForm
from veracruz_utils.policy.conduct import (
    OPAQUE,
    UNLIMITED,
    Agreement,
    Conduct,
    InputTerms,
    Mechanism,
    PolicyTerms,
    Privacy,
    ResultTerms,
)
from veracruz_utils.policy.errors import PolicyError, PolicyErrorCode
from veracruz_utils.policy.values import RESULT_READERS, PolicyIdentity

if TYPE_CHECKING:
    from fractions import Fraction

USUAL_ATTEMPTS: Final = 3
PRIVATE_ATTEMPTS: Final = 1
"""Under privacy: each is paid for, and tells whether it failed."""
USUAL_STREAM_ROUNDS: Final = 100
"""Each takes new stream items, and so the doing of whoever gives them."""
_NUMBER: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{1,18})?(e-[0-9]{1,2})?")
_MOST_PLACES: Final = 40
"""Of a number's decimals: balances are told in as many."""
_PLACE_NAME: Final = re.compile(r"\w(?:[\w .&'()-]{0,62}[\w.)])?")

_Rounds = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
_Attempts = Annotated[int, msgspec.Meta(ge=1, le=1000)]
_Bytes = Annotated[int, msgspec.Meta(ge=0, le=4 * (1 << 30) - 1)]
_Who = str | Annotated[int, msgspec.Meta(ge=0)]


class _LeastOf(msgspec.Struct, forbid_unknown_fields=True):
    least: Annotated[int, msgspec.Meta(ge=1)]
    of: list[_Who]


_AgreementForm: TypeAlias = Literal["any", "all"] | list[_Who] | _LeastOf


class _InputForm(msgspec.Struct, forbid_unknown_fields=True):
    name: str = ""
    type: str = OPAQUE
    bytes: _Bytes | None = None


class _PrivacyForm(msgspec.Struct, forbid_unknown_fields=True):
    mechanism: Mechanism
    epsilon: str
    total_epsilon: str
    sensitivity: str
    delta: str = "0"
    total_delta: str = "0"


class _ResultForm(msgspec.Struct, forbid_unknown_fields=True):
    type: str = OPAQUE
    bytes: _Bytes | None = None
    contributors: Annotated[int, msgspec.Meta(ge=0, le=4096)] = 0
    privacy: _PrivacyForm | None = None


class TermsForm(SharedForm, kw_only=True):
    """The fields; each may be left out."""

    rounds: _Rounds | None = None
    attempts: _Attempts | None = None
    results_per_reader: _Rounds | None = None
    next_round: _AgreementForm = "any"
    consent: _AgreementForm | None = None
    deterministic: bool = False
    inputs: list[_InputForm] | None = None
    streams: list[_InputForm] | None = None
    result: _ResultForm = msgspec.field(default_factory=_ResultForm)


def terms_of_2021(form: SharedForm, identities: Sequence[PolicyIdentity]) -> PolicyTerms:
    """What a policy of 2021 means by not saying any of it."""
    conduct = Conduct(
        rounds=UNLIMITED,
        attempts=1,
        results_per_reader=UNLIMITED,
        next_round=Agreement(1, _readers(identities)),
        canonical_nans=True,
        repairs=False,
    )
    data, streams = form.data_provision_order, form.streaming_order
    return PolicyTerms(conduct, (InputTerms(),) * len(data), (InputTerms(),) * len(streams))


def read_terms(form: TermsForm, identities: Sequence[PolicyIdentity]) -> PolicyTerms:
    """What the fields say, among these principals.

    Args:
        form: the fields.
        identities: the principals; at least one is a reader.

    Raises:
        PolicyError: the first that cannot be.
    """
    data, streams = form.data_provision_order, form.streaming_order
    rounds = form.rounds or (USUAL_STREAM_ROUNDS if streams else 1)
    everybody = frozenset(each.client_id for each in identities)
    names = {each.name: each.client_id for each in identities if each.name}
    usual_attempts = USUAL_ATTEMPTS if form.result.privacy is None else PRIVATE_ATTEMPTS
    conduct = Conduct(
        rounds=rounds,
        attempts=form.attempts or usual_attempts,
        results_per_reader=min(form.results_per_reader or rounds, rounds),
        next_round=_read_agreement(form.next_round, _readers(identities), names, "$.next_round"),
        consent=None
        if form.consent is None
        else _read_agreement(form.consent, everybody, names, "$.consent"),
        deterministic=form.deterministic,
        canonical_nans=form.deterministic,
    )
    result = _read_result(form.result)
    if result.privacy is not None and form.deterministic:
        raise PolicyError(
            PolicyErrorCode.PRIVACY,
            "noise that everybody can draw again hides nothing: a policy has privacy or is "
            "deterministic",
            path="$.deterministic",
        )
    if result.privacy is not None and form.debug:
        raise PolicyError(
            PolicyErrorCode.PRIVACY,
            "noise hides nothing from who is told what the program says: a policy has privacy or "
            "is for debugging",
            path="$.debug",
        )
    if result.contributors > len({*data, *streams}):
        raise PolicyError(
            PolicyErrorCode.INPUT_TERMS,
            f"{result.contributors} contributors are asked for, the orders name "
            f"{len({*data, *streams})}: no result could ever be released",
            path="$.result.contributors",
        )
    return PolicyTerms(
        conduct,
        _read_inputs(form.inputs, data, "inputs", "data_provision_order"),
        _read_inputs(form.streams, streams, "streams", "streaming_order"),
        result,
    )


def _readers(identities: Sequence[PolicyIdentity]) -> frozenset[int]:
    return frozenset(each.client_id for each in identities if each.roles & RESULT_READERS)


def _read_agreement(
    form: _AgreementForm, pool: frozenset[int], names: Mapping[str, int], path: str
) -> Agreement:
    if form in ("any", "all"):
        return Agreement(1 if form == "any" else len(pool), pool)
    named, path_of = (form.of, f"{path}.of") if isinstance(form, _LeastOf) else (form, path)
    found: set[int] = set()
    for index, who in enumerate(named):
        client = names.get(who) if isinstance(who, str) else who
        if client not in pool or client in found:
            problem = "appears twice" if client in found else "is none of those who could agree"
            raise PolicyError(
                PolicyErrorCode.AGREEMENT,
                f"{str(who)[:80]!r} {problem}",
                path=f"{path_of}[{index}]",
            )
        found.add(client)
    least = form.least if isinstance(form, _LeastOf) else len(found)
    if not 1 <= least <= len(found):
        raise PolicyError(
            PolicyErrorCode.AGREEMENT,
            f"{least} of {len(found)} can never agree" if found else "nobody is named",
            path=path,
        )
    return Agreement(least, frozenset(found))


def _read_inputs(
    forms: Sequence[_InputForm] | None, order: Sequence[int], field: str, order_field: str
) -> tuple[InputTerms, ...]:
    if forms is None:
        return (InputTerms(),) * len(order)
    if len(forms) != len(order):
        raise PolicyError(
            PolicyErrorCode.INPUT_TERMS,
            f"has {len(forms)} entries, {order_field} has {len(order)}: give one for each",
            path=f"$.{field}",
        )
    names: set[str] = set()
    for index, form in enumerate(forms):
        path = f"$.{field}[{index}]"
        if form.name and (not _PLACE_NAME.fullmatch(form.name) or form.name in names):
            problem = "appears twice" if form.name in names else "is not a name"
            raise PolicyError(
                PolicyErrorCode.NAME, f"{form.name[:80]!r} {problem}", path=f"{path}.name"
            )
        names.add(form.name)
        _check_type(form.type, f"{path}.type")
    return tuple(InputTerms(form.name, form.type, form.bytes) for form in forms)


def _read_result(form: _ResultForm) -> ResultTerms:
    _check_type(form.type, "$.result.type")
    privacy = None if form.privacy is None else _read_privacy(form.privacy)
    if privacy is not None:
        _check_noisy(form.type, "$.result.type")
    return ResultTerms(form.type, form.bytes, form.contributors, privacy)


def _check_type(text: str, path: str) -> None:
    if text == OPAQUE:
        return
    if not text.isprintable():  # a line's end is white space, and could overwrite a line
        raise PolicyError(PolicyErrorCode.INVALID_VALUE, "has line ends or tabs", path=path)
    try:
        parse_type(text)
    except TypeExpressionError as error:
        raise PolicyError(PolicyErrorCode.INVALID_VALUE, str(error), path=path) from error


def _check_noisy(text: str, path: str) -> None:
    """Refuse a type that is anything but integers: each of them gets noise."""
    if text == OPAQUE:
        detail = "noise is added to a result of a type that is known: give `type`"
        raise PolicyError(PolicyErrorCode.PRIVACY, detail, path=path)
    found = False
    waiting = [parse_type(text)]
    while waiting:
        kind = waiting.pop()
        found = found or isinstance(kind, kinds.Integer)
        if not isinstance(kind, kinds.Integer | kinds.Tuple | kinds.Struct | kinds.Array) and (
            not isinstance(kind, kinds.Sequence) or kind.distinct
        ):
            raise PolicyError(
                PolicyErrorCode.PRIVACY,
                f"noise is for whole numbers, in tuples, structs, arrays and Vec; {kind} is none",
                path=path,
            )
        waiting += kinds.parts(kind)
    if not found:
        detail = f"{text} has no number that could get noise"
        raise PolicyError(PolicyErrorCode.PRIVACY, detail, path=path)


def _read_privacy(form: _PrivacyForm) -> Privacy:
    path = "$.result.privacy"
    numbers = {
        name: _read_number(getattr(form, name), f"{path}.{name}")
        for name in ("epsilon", "delta", "total_epsilon", "total_delta", "sensitivity")
    }
    gaussian = form.mechanism is Mechanism.GAUSSIAN
    for name in ("epsilon", "sensitivity"):
        if not numbers[name]:
            raise PolicyError(PolicyErrorCode.PRIVACY, "is 0", path=f"{path}.{name}")
    if bool(numbers["delta"]) != gaussian or numbers["delta"] >= 1:
        raise PolicyError(
            PolicyErrorCode.PRIVACY,
            "is between 0 and 1 with Gaussian noise, and 0 with Laplace noise",
            path=f"{path}.delta",
        )
    for name in ("epsilon", "delta"):
        if numbers[name] > numbers[f"total_{name}"]:
            raise PolicyError(
                PolicyErrorCode.PRIVACY,
                f"{form.total_epsilon if name == 'epsilon' else form.total_delta} in total does "
                "not pay for one release",
                path=f"{path}.total_{name}",
            )
    return Privacy(form.mechanism, **numbers)


def _read_number(text: str, path: str) -> "Fraction":
    from fractions import Fraction  # noqa: PLC0415 - see `conduct`

    if not _NUMBER.fullmatch(text):
        raise PolicyError(
            PolicyErrorCode.PRIVACY, f"{text[:40]!r} is not a number such as 0.5 or 1e-6", path=path
        )
    number = Fraction(text)
    if 10**_MOST_PLACES % number.denominator:
        raise PolicyError(
            PolicyErrorCode.PRIVACY,
            f"{text[:40]!r} has more than {_MOST_PLACES} decimal places",
            path=path,
        )
    return number
