"""What a policy is made of."""

from dataclasses import dataclass, fields
from enum import Enum, StrEnum
from typing import Final

from veracruz_utils.digest import Digest
from veracruz_utils.policy.errors import PolicyError, PolicyErrorCode

LINUX_SOFTWARE: Final = "linux-software-root"
"""The platform whose root of trust is software on Linux. No hardware vouches for it."""

_KIB: Final = 1 << 10
_MIB: Final = 1 << 20
_GIB: Final = 1 << 30


class PolicyFormat(Enum):
    """How a policy is written down."""

    VERACRUZ_2021 = "Veracruz 2021"
    CURRENT = "current"


class Role(StrEnum):
    """What a principal may do."""

    PI_PROVIDER = "PiProvider"
    DATA_PROVIDER = "DataProvider"
    RESULT_READER = "ResultReader"
    STREAM_PROVIDER = "StreamProvider"


class Strategy(StrEnum):
    """How the program is executed."""

    JIT = "JIT"
    INTERPRETATION = "Interpretation"


@dataclass(frozen=True, slots=True)
class PolicyIdentity:
    """A principal.

    Attributes:
        client_id: the number the policy gives it, below 2**32.
        certificate: X.509, DER.
        roles: what it may do; at least one.
    """

    client_id: int
    certificate: bytes
    roles: frozenset[Role]

    @property
    def digest(self) -> Digest:
        """SHA-256 of the certificate's DER."""
        return Digest.of(self.certificate)


@dataclass(frozen=True, slots=True)
class AcceptedPlatform:
    """A kind of isolate the principals accept, and the runtimes they accept on it.

    Attributes:
        name: such as `linux-software-root`, `nitro`.
        measurements: of accepted runtimes, each 32 or 48 bytes; at least one.
    """

    name: str
    measurements: frozenset[bytes]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one computation may use.

    Attributes:
        program_bytes: size of the program.
        input_bytes: size of one input or stream item.
        total_input_bytes: size of all inputs and stream items of a round together.
        output_bytes: size of a result.
        memory_bytes: the program's linear memory.
        run_seconds: wall time of one run.
        compile_seconds: wall time of making the program ready.
        fuel: instructions, as the engine counts them, of one run; None is no such limit.
        function_bytes: size of the body of one function of the program.
        locals: local variables of one function.
        nesting: blocks inside one another in one function.
        table_elements: elements of one of the program's tables.
        stack_bytes: the program's stack of calls.
        random_bytes: random bytes that one run may draw.
        compile_memory_bytes: memory for making the program ready.

    Raises:
        PolicyError: a limit is too small for any program or beyond what an isolate can give.
    """

    program_bytes: int = 32 * _MIB
    input_bytes: int = 1 * _GIB
    total_input_bytes: int = 2 * _GIB
    output_bytes: int = 256 * _MIB
    memory_bytes: int = 1 * _GIB
    run_seconds: int = 300
    compile_seconds: int = 60
    fuel: int | None = None
    function_bytes: int = 512 * _KIB
    locals: int = 4_000
    nesting: int = 2_000
    table_elements: int = 500_000
    stack_bytes: int = 8 * _MIB
    random_bytes: int = 256 * _MIB
    compile_memory_bytes: int = 1 * _GIB

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            least, most = _LEAST.get(field.name, 1), _MOST[field.name]
            if value is not None and not least <= value <= most:
                raise PolicyError(
                    PolicyErrorCode.LIMIT_OUT_OF_RANGE,
                    f"{value} is not between {least} and {most}",
                    path=f"$.limits.{field.name}",
                )


_LEAST: Final = {"stack_bytes": 64 * _KIB}  # the engine has no way to fail in less
_MOST: Final = {
    "program_bytes": 256 * _MIB,
    "input_bytes": 4 * _GIB - 1,  # a program learns the size as 32 bits
    "total_input_bytes": 64 * _GIB,
    "output_bytes": 4 * _GIB - 1,
    "memory_bytes": 4 * _GIB,  # all that 32-bit WebAssembly can address
    "run_seconds": 7 * 24 * 3600,
    "compile_seconds": 3600,
    "fuel": (1 << 63) - 1,
    "function_bytes": 7_654_321,  # these two are the engine's own limits
    "locals": 50_000,
    "nesting": 100_000,
    "table_elements": 10_000_000,
    "stack_bytes": 64 * _MIB,
    "random_bytes": 64 * _GIB,
    "compile_memory_bytes": 64 * _GIB,
}
