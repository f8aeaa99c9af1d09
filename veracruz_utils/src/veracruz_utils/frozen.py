"""How values are declared: `@frozen`, which makes frozen dataclasses with slots at little cost.

Every start of a program makes some hundred classes. `dataclass(frozen=True, slots=True)` writes and
compiles six functions for each, which takes 0.4 ms and so a third of what a command takes to start.
Here `__init__` alone is compiled; the others are the same for all classes.
"""

import dataclasses
from collections.abc import Callable
from operator import attrgetter
from typing import Any, Final, NoReturn, TypeVar, dataclass_transform

__all__ = ["frozen"]

_ValueT = TypeVar("_ValueT")

_NOT_GIVEN: Final = object()


@dataclass_transform(frozen_default=True, field_specifiers=(dataclasses.field,))
def frozen(cls: type[_ValueT]) -> type[_ValueT]:
    """A class decorator, in place of `dataclass(frozen=True, slots=True)`.

    `field`, `fields`, `replace` and `asdict` of `dataclasses` do with it what they do with any
    dataclass, as do `match`, `copy` and `pickle`. There is no `InitVar`.
    """
    made = dataclasses.dataclass(init=False, repr=False, eq=False, slots=True)(cls)
    methods = {"__init__": _initializer(made), **_comparisons(made), **_SHARED}
    for name, method in methods.items():
        if name not in cls.__dict__:
            setattr(made, name, method)
    return made


def _initializer(cls: type) -> Callable[..., None]:
    """The method `__init__` of a dataclass, by its fields."""
    names: dict[str, Any] = {"set_field": object.__setattr__, "not_given": _NOT_GIVEN}
    positional, keywords, body = ["self"], ["*"], []
    for field in dataclasses.fields(cls):
        parameter, given = field.name, field.name
        if field.default_factory is not dataclasses.MISSING:
            names[f"make_{field.name}"] = field.default_factory
            parameter += "=not_given"
            given = f"make_{field.name}() if {field.name} is not_given else {field.name}"
        elif field.default is not dataclasses.MISSING:
            names[f"default_{field.name}"] = field.default
            parameter += f"=default_{field.name}"
        (keywords if field.kw_only else positional).append(parameter)
        body.append(f" set_field(self, {field.name!r}, {given})")
    if hasattr(cls, "__post_init__"):
        body.append(" self.__post_init__()")
    parameters = ", ".join(positional + keywords * (len(keywords) > 1))
    # What is compiled are names of fields, as they stand in our own source.
    exec("\n".join([f"def __init__({parameters}):", *body, " pass"]), names)  # noqa: S102
    made: Callable[..., None] = names["__init__"]
    made.__qualname__ = f"{cls.__qualname__}.__init__"
    made.__annotations__ = {each.name: each.type for each in dataclasses.fields(cls)}
    return made


def _comparisons(cls: type) -> dict[str, Callable[..., Any]]:
    """The methods `__eq__` and `__hash__`, of the fields that are compared."""
    names = [field.name for field in dataclasses.fields(cls) if field.compare]
    compared: Callable[[Any], tuple[Any, ...]]
    if len(names) > 1:
        compared = attrgetter(*names)
    else:

        def compared(self: object) -> tuple[Any, ...]:
            return tuple(getattr(self, name) for name in names)

    def __eq__(self: object, other: object) -> bool:  # noqa: N807
        if other.__class__ is not self.__class__:
            return NotImplemented
        return compared(self) == compared(other)

    def __hash__(self: object) -> int:  # noqa: N807
        return hash(compared(self))

    return {"__eq__": __eq__, "__hash__": __hash__}


def _repr(self: Any) -> str:  # noqa: ANN401 - any value
    shown = [each.name for each in dataclasses.fields(self) if each.repr]
    fields = ", ".join(f"{name}={getattr(self, name)!r}" for name in shown)
    return f"{self.__class__.__qualname__}({fields})"


def _set(_self: object, name: str, _value: object) -> NoReturn:
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _delete(_self: object, name: str) -> NoReturn:
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


def _state(self: Any) -> list[Any]:  # noqa: ANN401
    return [getattr(self, each.name) for each in dataclasses.fields(self)]


def _set_state(self: Any, state: list[Any]) -> None:  # noqa: ANN401
    for each, content in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, each.name, content)


_SHARED: Final[dict[str, Callable[..., Any]]] = {
    "__repr__": _repr,
    "__setattr__": _set,
    "__delattr__": _delete,
    "__getstate__": _state,
    "__setstate__": _set_state,
}
