"""How much a program may use."""

from dataclasses import fields
from typing import Final, Self

from veracruz_utils.frozen import frozen
from veracruz_utils.policy import Limits

PAGE_BYTES: Final = 64 * 1024
MIB: Final = 1024 * 1024


@frozen
class EngineLimits:
    """Limits of one program; the defaults are those of a policy that names none.

    All follow the policy but `tables`. Those of the module's shape keep a compile, which nothing in
    a process can interrupt, within reason.

    Attributes:
        module_bytes: size of the module.
        memory_bytes: linear memory, initial and grown.
        output_bytes: the result of one run.
        run_seconds: wall-clock time of one run; None compiles no checks of it into the program,
            which runs faster and can be stopped by nothing but the end of its process: who runs
            it so kills that at the deadline.
        fuel: deterministic budget, about one unit per instruction; None counts nothing and is
            faster.
        random_bytes: what one run may draw.
        stack_bytes: the program's stack of calls; a host call has its own.
        function_bytes: size of one function's body.
        locals: locals of one function, without its parameters.
        nesting: blocks of one function inside one another; `wasm.examination` looks at it.
        tables: tables of the module.
        table_elements: elements of one table, initial and grown.
    """

    module_bytes: int = 32 * MIB
    memory_bytes: int = 1024 * MIB
    output_bytes: int = 256 * MIB
    run_seconds: float | None = 300.0
    fuel: int | None = None
    random_bytes: int = 256 * MIB
    stack_bytes: int = 8 * MIB
    function_bytes: int = 512 * 1024
    locals: int = 4_000
    nesting: int = 2_000
    tables: int = 8
    table_elements: int = 500_000

    @classmethod
    def from_policy(cls, limits: Limits) -> Self:
        """The limits a policy sets; those of compiling and inputs are for who holds the process."""
        same = (each.name for each in fields(cls) if hasattr(limits, each.name))
        return cls(
            module_bytes=limits.program_bytes, **{name: getattr(limits, name) for name in same}
        )
