"""Messages between a principal and the runtime, inside TLS, each in a frame.

One request, one answer. Two carry raw content besides: after `Proceed` the principal sends the
`Upload.size` bytes it announced and gets its answer when the last has arrived; after `ResultIs` the
runtime sends `ResultIs.size` bytes.
"""

import enum
from dataclasses import dataclass
from typing import Final

from colima._pb import runtime_pb2 as pb
from colima.codec import Envelope, at_most, exactly, register

MAX_RECEIPT_BYTES: Final = 256 * 1024  # as `psa_attestation.receipts.receipt` has it
MAX_FRAMES: Final = 20
MAX_NAME_CHARS: Final = 64
MAX_MESSAGE_CHARS: Final = 4096
_MAX_FACT_CHARS: Final = 160


class ResponseStatus(enum.Enum):
    """How a request failed, in the numbers of 2021."""

    INVALID_ROLE = 2
    NOT_READY = 3
    GENERIC = 4
    VM_ERROR = 5
    ERROR_CODE_RETURNED = 6
    INVALID_REQUEST = 7


class RefusalReason(enum.Enum):
    """Why a request was refused: a closed set, all that the isolate tells of a failure inside."""

    WRONG_ROLE = 1
    WRONG_STATE = 2
    BUSY = 3
    WRONG_PROGRAM = 4
    PROGRAM_REFUSED = 5
    DUPLICATE_PACKAGE = 6
    NOT_EXPECTED = 7
    TOO_LARGE = 8
    BAD_REQUEST = 9
    TRAPPED = 10
    LIMIT_REACHED = 11
    GUEST_LOST = 12
    ERROR_CODE_RETURNED = 13


class ContentKind(enum.Enum):
    """What an upload is."""

    PROGRAM = 1
    DATA = 2
    STREAM = 3


class ComputationState(enum.Enum):
    """The lifecycle of a computation."""

    INITIAL = 0
    DATA_SOURCES_LOADING = 1
    STREAM_SOURCES_LOADING = 2
    READY_TO_EXECUTE = 3
    FINISHED_EXECUTING = 4
    ERROR = 5


@register(pb.Upload)
@dataclass(frozen=True, slots=True)
class Upload:
    """`size` bytes are to follow; `package_id` (u32) tells apart the inputs of one principal."""

    kind: ContentKind
    package_id: int
    size: int


@register(pb.GetResult)
@dataclass(frozen=True, slots=True)
class GetResult:
    """The result, please; the first such request runs the program."""


@register(pb.NextRound)
@dataclass(frozen=True, slots=True)
class NextRound:
    """Begin another round: same program and data, new streams, this result as the previous one."""


@register(pb.Shutdown)
@dataclass(frozen=True, slots=True)
class Shutdown:
    """As far as this reader is concerned the computation may end."""


@register(pb.GetState)
@dataclass(frozen=True, slots=True)
class GetState:
    """Where does the computation stand?"""


@register(pb.GetPolicyDigest)
@dataclass(frozen=True, slots=True)
class GetPolicyDigest:
    """Which policy do you hold?"""


@register(pb.GetProgramDigest)
@dataclass(frozen=True, slots=True)
class GetProgramDigest:
    """Which program do you hold?"""


@register(pb.GetFailureReport)
@dataclass(frozen=True, slots=True)
class GetFailureReport:
    """Why did the computation fail? For the program's provider."""


Request = (
    Upload
    | GetResult
    | NextRound
    | Shutdown
    | GetState
    | GetPolicyDigest
    | GetProgramDigest
    | GetFailureReport
)
REQUEST: Final[Envelope[Request]] = Envelope(
    pb.Request,
    "request",
    {
        "upload": Upload,
        "get_result": GetResult,
        "next_round": NextRound,
        "shutdown": Shutdown,
        "get_state": GetState,
        "get_policy_digest": GetPolicyDigest,
        "get_program_digest": GetProgramDigest,
        "get_failure_report": GetFailureReport,
    },
)


@register(pb.Proceed)
@dataclass(frozen=True, slots=True)
class Proceed:
    """Send the content now."""


@register(pb.Done)
@dataclass(frozen=True, slots=True)
class Done:
    """It is done."""


@register(pb.Accepted)
@dataclass(frozen=True, slots=True)
class Accepted:
    """The input is in. `commitment` stands for it in receipts; only its provider knows `salt`.

    The commitment is that of `psa_attestation.receipts.receipt.commit`, over the salt and the
    SHA-256 of the input; 32 bytes each.
    """

    salt: bytes
    commitment: bytes

    def __post_init__(self) -> None:
        exactly("salt", self.salt, 32)
        exactly("commitment", self.commitment, 32)


@register(pb.StateIs)
@dataclass(frozen=True, slots=True)
class StateIs:
    """The state, the round (from 1) and whether the program is running at this moment."""

    state: ComputationState
    round: int
    running: bool


@register(pb.DigestIs)
@dataclass(frozen=True, slots=True)
class DigestIs:
    """A SHA-256 digest (32 bytes)."""

    digest: bytes

    def __post_init__(self) -> None:
        exactly("digest", self.digest, 32)


@register(pb.Result)
@dataclass(frozen=True, slots=True)
class ResultIs:
    """`size` bytes of result follow; `present` is False when the program wrote none.

    `receipt` is the runtime's signed account of the run (COSE_Sign1).
    """

    present: bool
    size: int
    receipt: bytes

    def __post_init__(self) -> None:
        at_most("receipt", self.receipt, MAX_RECEIPT_BYTES)


@register(pb.ProgramFailed)
@dataclass(frozen=True, slots=True)
class ProgramFailed:
    """The program ran and returned a code other than 0."""

    return_code: int
    receipt: bytes

    def __post_init__(self) -> None:
        at_most("receipt", self.receipt, MAX_RECEIPT_BYTES)


@register(pb.Refused)
@dataclass(frozen=True, slots=True)
class Refused:
    """Refused, and nothing changed by it; `found` and `expected` are public facts only."""

    status: ResponseStatus
    reason: RefusalReason
    found: str = ""
    expected: str = ""

    def __post_init__(self) -> None:
        at_most("found", self.found, _MAX_FACT_CHARS)
        at_most("expected", self.expected, _MAX_FACT_CHARS)


@register(pb.Frame)
@dataclass(frozen=True, slots=True)
class TrapFrame:
    """A call on the stack of a program that trapped: its function's index, and where it was.

    `offset` is in bytes from the module's beginning, 0 when it is not known; `name` is from the
    module's name section, empty without one.
    """

    function: int
    offset: int
    name: str

    def __post_init__(self) -> None:
        at_most("name", self.name, MAX_NAME_CHARS)


@register(pb.FailureReport)
@dataclass(frozen=True, slots=True)
class FailureReport:
    """How the computation failed, as in "trapped: unreachable".

    `frames` say where in the program, innermost first, and `message` is what it said to its author;
    both are empty unless the policy says `debug`. Then there is a report of a program that
    returned, too, with `failure` as in "returned: -4", or empty.
    """

    failure: str
    frames: tuple[TrapFrame, ...]
    message: str = ""

    def __post_init__(self) -> None:
        at_most("failure", self.failure, _MAX_FACT_CHARS)
        at_most("frames", self.frames, MAX_FRAMES)
        at_most("message", self.message, MAX_MESSAGE_CHARS)


Response = (
    Proceed
    | Done
    | Accepted
    | StateIs
    | DigestIs
    | ResultIs
    | ProgramFailed
    | Refused
    | FailureReport
)
RESPONSE: Final[Envelope[Response]] = Envelope(
    pb.Response,
    "response",
    {
        "proceed": Proceed,
        "done": Done,
        "accepted": Accepted,
        "state": StateIs,
        "digest": DigestIs,
        "result": ResultIs,
        "program_failed": ProgramFailed,
        "refused": Refused,
        "failure_report": FailureReport,
    },
)
