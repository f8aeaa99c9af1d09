"""The world of a component: the host calls of `abi`, in the words of the component model.

What is no host call is `message`, which the program's author reads when the policy says `debug`,
and the author's part of a program (see `author_part`), which an interpreter reads.

A component imports interface `veracruz:guest/host@0.1.0`, or the functions of it that it needs, and
exports `main: func() -> s32`. What a core module gets by a pointer and a status comes as a result
here: the value, or the same status. Contents go in pieces of at most `PIECE_BYTES`, for the engine
hands lists over element by element.
"""

from typing import Final

from veracruz_utils.frozen import frozen

INTERFACE: Final = "veracruz:guest/host@0.1.0"
# Of one list that passes between a component and its host: the engine takes some forty times that.
PIECE_BYTES: Final = 256 * 1024

MESSAGE: Final = "message"
AUTHOR_PART_SIZE: Final = "author_part_size"
READ_AUTHOR_PART: Final = "read_author_part"

_COUNT: Final = "u32"
_SIZE: Final = "result<u32, s32>"
_BYTES: Final = "result<list<u8>, s32>"
_INDEX: Final = ("index", "u32")
_PIECE: Final = (("offset", "u32"), ("size", "u32"))


def world_name(call: str) -> str:
    """The name in the interface of a host call of `abi`."""
    return call.replace("_", "-")


@frozen
class WorldFunction:
    """A function of the interface: the host call behind it, its parameters and result in WIT."""

    call: str
    params: tuple[tuple[str, str], ...]
    result: str

    @property
    def name(self) -> str:
        """Its name in the interface."""
        return world_name(self.call)

    @property
    def type(self) -> str:
        """Its type, as WIT writes it."""
        params = ", ".join(f"{name}: {type_}" for name, type_ in self.params)
        return f"func({params}) -> {self.result}"


_FUNCTIONS: Final = (
    WorldFunction("input_count", (), _COUNT),
    WorldFunction("input_size", (_INDEX,), _SIZE),
    WorldFunction("read_input", (_INDEX, *_PIECE), _BYTES),
    WorldFunction("write_output", (("piece", "list<u8>"), ("last", "bool")), "result<_, s32>"),
    WorldFunction("getrandom", (("size", "u32"),), _BYTES),
    WorldFunction("read_previous_result", _PIECE, _BYTES),
    WorldFunction("previous_result_size", (), _COUNT),
    WorldFunction("has_previous_result", (), "bool"),
    WorldFunction("stream_count", (), _COUNT),
    WorldFunction("stream_size", (_INDEX,), _SIZE),
    WorldFunction("read_stream", (_INDEX, *_PIECE), _BYTES),
    WorldFunction(MESSAGE, (("text", "list<u8>"),), "result<_, s32>"),
    WorldFunction(AUTHOR_PART_SIZE, (), _COUNT),
    WorldFunction(READ_AUTHOR_PART, _PIECE, _BYTES),
)
FUNCTIONS: Final = {function.name: function for function in _FUNCTIONS}
MAIN_TYPE: Final = "func() -> s32"
