"""The ABI in words, for its reference and for tools; `abi` is what programs run on."""

from typing import Final

from execution_engine.abi import HostStatus
from veracruz_utils.frozen import frozen
from veracruz_utils.refused_inputs import refused_input_of


@frozen
class CallText:
    """What a host call does.

    Attributes:
        effect: where it succeeds.
        refusals: every other status it has and why, in the order in which they are looked at.
    """

    effect: str
    refusals: tuple[tuple[HostStatus, str], ...] = ()


_NO_INPUT: Final = (HostStatus.BAD_INPUT, "no such input")
_NO_STREAM: Final = (HostStatus.BAD_STREAM, "no such stream")
_SHORT: Final = "size is smaller than it"

CALL_TEXTS: Final = {
    "input_count": CallText("writes the number of data inputs"),
    "input_size": CallText("writes the size of that input", (_NO_INPUT,)),
    "read_input": CallText(
        "copies the whole input to buf", (_NO_INPUT, (HostStatus.DATA_SOURCE_SIZE, _SHORT))
    ),
    "write_output": CallText(
        "takes size bytes from buf as the result",
        ((HostStatus.RESULT_ALREADY_WRITTEN, "there is a result already; it stays"),),
    ),
    "getrandom": CallText(
        "fills buf",
        (
            (HostStatus.SERVICE_UNAVAILABLE, "no random numbers now"),
            (HostStatus.GENERIC, "another failure of their source"),
        ),
    ),
    "read_previous_result": CallText(
        "copies the previous round's result; nothing in round one",
        ((HostStatus.PREVIOUS_RESULT_SIZE, _SHORT),),
    ),
    "previous_result_size": CallText("writes its size, 0 in round one"),
    "has_previous_result": CallText("writes 1 from round two on, else 0"),
    "stream_count": CallText("writes the number of streams"),
    "stream_size": CallText("writes the size of that stream", (_NO_STREAM,)),
    "read_stream": CallText(
        "copies the whole stream to buf", (_NO_STREAM, (HostStatus.STREAM_SOURCE_SIZE, _SHORT))
    ),
}

# What programs mean by the number `main` returns: a convention of their library, to which the
# engine gives no meaning. -6 means something else here than the status of that number.
RETURN_CODES: Final = {
    0: "Success",
    -1: "Generic",
    -2: "DataSourceCount",
    -3: "DataSourceSize",
    -4: "BadInput",
    -5: "InvariantFailed",
    -6: "NotImplemented",
    -7: "ServiceUnavailable",
}


def return_code_name(code: int) -> str:
    """The name programs give to a return code, or "unknown"."""
    if (refused := refused_input_of(code)) is not None:
        return f"Refused{'Stream' if refused.stream else 'Input'} {refused.index}"
    return RETURN_CODES.get(code, "unknown")
