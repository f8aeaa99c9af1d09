"""What a policy is made of."""

from dataclasses import field, fields
from enum import Enum, StrEnum
from typing import Any, Final

from veracruz_utils.digest import Digest
from veracruz_utils.frozen import frozen
from veracruz_utils.policy.errors import PolicyError, PolicyErrorCode
from veracruz_utils.policy.machine import PinnedRegister

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


# Who may do what, for whoever checks it: the isolate, a principal's own tools, a policy's orders.
PROGRAM_SENDERS: Final = frozenset({Role.PI_PROVIDER})
DATA_SENDERS: Final = frozenset({Role.DATA_PROVIDER})
STREAM_SENDERS: Final = frozenset({Role.DATA_PROVIDER, Role.STREAM_PROVIDER})
RESULT_READERS: Final = frozenset({Role.RESULT_READER})


class Strategy(StrEnum):
    """How the program is executed."""

    JIT = "JIT"
    INTERPRETATION = "Interpretation"


@frozen
class PolicyIdentity:
    """A principal.

    Attributes:
        client_id: the number the policy gives it, below 2**32.
        certificate: X.509, DER.
        roles: what it may do; at least one.
        name: what the policy calls it; empty when it gives it no name.
    """

    client_id: int
    certificate: bytes = field(repr=False)
    roles: frozenset[Role]
    name: str = ""

    @property
    def label(self) -> str:
        """What messages call it: its name, or its number."""
        return self.name or f"client {self.client_id}"

    @property
    def digest(self) -> Digest:
        """SHA-256 of the certificate's DER."""
        return Digest.of(self.certificate)


@frozen
class AcceptedPlatform:
    """A kind of isolate the principals accept, and the runtimes they accept on it.

    Attributes:
        name: such as `linux-software-root`, `nitro`.
        measurements: of accepted runtimes, each 32 or 48 bytes; at least one.
        machine: what hardware must have measured of the machine around them; nothing where the
            policy leaves that to the attestation service.
    """

    name: str
    measurements: frozenset[bytes]
    machine: tuple[PinnedRegister, ...] = ()


def _limit(usual: int | None, *, most: int, least: int = 1) -> Any:  # noqa: ANN401 - as `field`
    return field(default=usual, metadata={"least": least, "most": most})


@frozen
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
        idle_seconds: how long the isolate waits without a principal's session and without a run.
        detached_seconds: how long the isolate waits for a bridge when its own is gone.

    Raises:
        PolicyError: a limit is too small for any program or beyond what an isolate can give.
    """

    program_bytes: int = _limit(32 * _MIB, most=256 * _MIB)
    input_bytes: int = _limit(1 * _GIB, most=4 * _GIB - 1)  # a program learns the size as 32 bits
    total_input_bytes: int = _limit(2 * _GIB, most=64 * _GIB)
    output_bytes: int = _limit(256 * _MIB, most=4 * _GIB - 1)
    memory_bytes: int = _limit(1 * _GIB, most=4 * _GIB)  # all that 32-bit WebAssembly can address
    run_seconds: int = _limit(300, most=7 * 24 * 3600)
    compile_seconds: int = _limit(60, most=3600)
    fuel: int | None = _limit(None, most=(1 << 63) - 1)
    function_bytes: int = _limit(512 * _KIB, most=7_654_321)  # the engine's own limit; so below
    locals: int = _limit(4_000, most=50_000)
    nesting: int = _limit(2_000, most=100_000)
    table_elements: int = _limit(500_000, most=10_000_000)
    # In less than 64 KiB the engine has no way to fail.
    stack_bytes: int = _limit(8 * _MIB, least=64 * _KIB, most=64 * _MIB)
    random_bytes: int = _limit(256 * _MIB, most=64 * _GIB)
    compile_memory_bytes: int = _limit(1 * _GIB, most=64 * _GIB)
    idle_seconds: int = _limit(24 * 3600, most=366 * 24 * 3600)
    detached_seconds: int = _limit(600, least=0, most=366 * 24 * 3600)

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            least, most = each.metadata["least"], each.metadata["most"]
            if value is not None and not least <= value <= most:
                raise PolicyError(
                    PolicyErrorCode.LIMIT_OUT_OF_RANGE,
                    f"{value} is not between {least} and {most}",
                    path=f"$.limits.{each.name}",
                )
