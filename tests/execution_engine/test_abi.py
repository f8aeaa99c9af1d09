"""The ABI is a promise: it is written out here once more, so that nothing changes by accident."""

from execution_engine.abi import (
    ENTRY_TYPES,
    HOST_CALLS,
    IMPORTS,
    MODULE,
    PREFIX,
    HostStatus,
)
from execution_engine.abi_text import CALL_TEXTS, return_code_name

CALLS = """
input_count ptr
input_size index ptr
read_input index buf size
write_output buf size
getrandom buf size
read_previous_result buf size
previous_result_size ptr
has_previous_result ptr
stream_count ptr
stream_size index ptr
read_stream index buf size
"""


def test_the_eleven_host_calls_have_their_names_and_parameters():
    assert [" ".join((call.name, *call.params)) for call in HOST_CALLS] == CALLS.split("\n")[1:-1]


def test_they_are_imported_from_one_module_under_one_prefix():
    assert MODULE == "env"
    assert list(IMPORTS) == [PREFIX + call.name for call in HOST_CALLS]
    assert HOST_CALLS[2].import_name == "__veracruz_hcall_read_input"


def test_every_number_is_an_i32():
    assert str(HOST_CALLS[2].type) == "(i32, i32, i32) -> (i32)"
    for call in HOST_CALLS:
        assert call.type.params == ("i32",) * len(call.params)
        assert call.type.results == ("i32",)


def test_the_statuses_have_their_numbers():
    assert [(status.name, status.value) for status in HostStatus] == [
        ("SUCCESS", 0),
        ("GENERIC", -1),
        ("DATA_SOURCE_COUNT", -2),
        ("DATA_SOURCE_SIZE", -3),
        ("BAD_INPUT", -4),
        ("INVARIANT_FAILED", -5),
        ("RESULT_ALREADY_WRITTEN", -6),
        ("SERVICE_UNAVAILABLE", -7),
        ("STREAM_SOURCE_COUNT", -8),
        ("STREAM_SOURCE_SIZE", -9),
        ("BAD_STREAM", -10),
        ("PREVIOUS_RESULT_SIZE", -11),
    ]


def test_main_has_two_types():
    assert [str(type_) for type_ in ENTRY_TYPES] == ["() -> (i32)", "(i32, i32) -> (i32)"]


def test_return_codes_have_names_of_their_own():
    assert return_code_name(0) == "Success"
    assert return_code_name(-6) == "NotImplemented"
    assert return_code_name(1) == "unknown"


def test_each_host_call_is_described():
    assert list(CALL_TEXTS) == [call.name for call in HOST_CALLS]
