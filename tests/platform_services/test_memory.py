"""When memory is given back."""

from platform_services.memory import REST_S, SESSIONS, MemoryReturn, trim_of_libc


def leave(memory: MemoryReturn, count: int) -> None:
    for _ in range(count):
        memory.session_left()


def test_a_few_sessions_are_not_worth_it():
    memory = MemoryReturn(lambda _: 1 // 0)
    leave(memory, SESSIONS - 1)
    assert not memory.turn(1000.0)


def test_after_many_it_is_given_back_once_and_not_again_before_a_rest():
    trimmed = []
    memory = MemoryReturn(lambda pad: trimmed.append(pad) or 1)
    leave(memory, SESSIONS)
    assert memory.turn(1000.0)
    assert not memory.turn(1000.0 + REST_S)
    leave(memory, SESSIONS)
    assert not memory.turn(1000.0 + REST_S - 1)
    assert memory.turn(1000.0 + REST_S)
    assert trimmed == [0, 0]


def test_whatever_the_c_library_is_it_can_be_asked():
    assert trim_of_libc()(0) in {0, 1}
