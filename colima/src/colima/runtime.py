"""Messages between a principal and the runtime, inside TLS, each in a frame.

One request, one answer; and perhaps, before the runtime closes a session, a `Refused` that nobody
asked for and that says why. Two carry raw content besides: after `Proceed` the principal sends the
`Upload.size` bytes it announced, from `Proceed.offset` on, and gets its answer when the last has
arrived; after `ResultIs` the runtime sends the result's `size` bytes, from `offset` on.
"""

import enum
from typing import Annotated, Final, get_args

from colima._pb import runtime_pb2 as pb
from colima.codec import Envelope, at_most, exactly, message

MAX_FRAMES: Final = 20
MAX_NAME_CHARS: Final = 64
MAX_MESSAGE_CHARS: Final = 4096
MAX_SIGNATURE_BYTES: Final = 4096
MAX_PRINCIPALS: Final = 4096
MAX_STATE_PLACES: Final = 4097
"""As many inputs as a receipt lists, and the program."""
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
    # Why the isolate ends a session: it comes in place of the next answer, and nothing after it.
    SHUT_DOWN = 14
    EXPIRED = 15
    STALLED = 16
    FLOODED = 17
    # What the policy's terms of conduct say.
    WITHHELD = 18
    CONSENT_MISSING = 19
    BUDGET_SPENT = 20
    ROUNDS_USED = 21
    RESULTS_USED = 22
    ATTEMPTS_USED = 23
    WRONG_CONTENT = 24
    TOO_FEW_CONTRIBUTORS = 25


class Failure(enum.Enum):
    """How the last run failed, as every principal is told."""

    NONE = 0
    TRAPPED = 1
    LIMIT_REACHED = 2
    GUEST_LOST = 3
    ERROR_CODE = 4
    WITHHELD = 5
    PROGRAM_REFUSED = 6


class Filling(enum.Enum):
    """How far a place of the policy's orders is filled."""

    MISSING = 0
    ARRIVING = 1
    FILLED = 2


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


@message(pb.Upload)
class Upload:
    """Announce `size` bytes; `package_id` (u32) tells apart the inputs of one principal.

    With their SHA-256 as `digest` an upload that was cut off can be gone on with. `replace` says
    that they come in place of the package that is in under this number.
    """

    kind: ContentKind
    package_id: int
    size: int
    digest: Annotated[bytes, exactly(32, or_none=True)] = b""
    replace: bool = False


@message(pb.Withdraw)
class Withdraw:
    """Take back an own input."""

    kind: ContentKind
    package_id: int


@message(pb.GetResult)
class GetResult:
    """Ask for the result; the first such request runs the program.

    `offset` is how many bytes of it the principal has. `retry` asks for another attempt after a run
    that failed, though no input has changed.
    """

    offset: int = 0
    retry: bool = False


@message(pb.GetReceipt)
class GetReceipt:
    """Ask for a receipt by its number, from 1: there is one of each attempt of each round."""

    number: int


@message(pb.Consent)
class Consent:
    """Hand over a principal's signature of the policy (COSE_Sign1), one's own or another's."""

    signature: Annotated[bytes, at_most(MAX_SIGNATURE_BYTES)]


@message(pb.Revoke)
class Revoke:
    """Take one's own consent back; until a run."""


@message(pb.NextRound)
class NextRound:
    """Begin another round: same program and data, new streams, this result as the previous one."""


@message(pb.Shutdown)
class Shutdown:
    """Say that this reader agrees to the end of the computation."""


@message(pb.GetState)
class GetState:
    """Ask for the state of the computation."""


@message(pb.GetPolicyDigest)
class GetPolicyDigest:
    """Ask for the digest of the policy that the runtime holds."""


@message(pb.GetProgramDigest)
class GetProgramDigest:
    """Ask for the digest of the program that the runtime holds."""


@message(pb.GetFailureReport)
class GetFailureReport:
    """Ask why the computation failed; for the program's provider."""


Request = (
    Upload
    | GetResult
    | NextRound
    | Shutdown
    | GetState
    | GetPolicyDigest
    | GetProgramDigest
    | GetFailureReport
    | Withdraw
    | GetReceipt
    | Consent
    | Revoke
)
REQUEST: Final[Envelope[Request]] = Envelope(pb.Request, *get_args(Request))


@message(pb.Proceed)
class Proceed:
    """The runtime is ready for the content of an `Upload`; it has `offset` bytes of it already."""

    offset: int = 0


@message(pb.Done)
class Done:
    """The request was carried out."""


@message(pb.Accepted)
class Accepted:
    """The input is in. `commitment` stands for it in receipts; only its provider knows `salt`.

    The commitment is that of `psa_attestation.receipts.receipt.commit`, over the salt and the
    SHA-256 of the input; 32 bytes each.
    """

    salt: Annotated[bytes, exactly(32)]
    commitment: Annotated[bytes, exactly(32)]


@message(pb.InputPlace)
class InputPlace:
    """A place of one of the policy's orders, or the program's.

    `index` is the place in its order, `client_id` who fills it. `package_id` and `size` (bytes) are
    of what is in it or on its way; `since` is when it came in, in seconds since 1970 by the host's
    clock, 0 before that.
    """

    kind: ContentKind
    index: int
    client_id: int
    filling: Filling
    package_id: int = 0
    size: int = 0
    since: int = 0


@message(pb.StateIs)
class StateIs:
    """Where the computation stands.

    `round` counts from 1, `attempt` the runs begun in it; `running` says whether one is under way.
    `failure` is how the last of them failed. The three `awaited` are those, by client id, whose
    word is still missing for what somebody has asked for; `receipts` is how many there are.
    """

    state: ComputationState
    round: int
    running: bool
    attempt: int = 0
    failure: Failure = Failure.NONE
    places: Annotated[tuple[InputPlace, ...], at_most(MAX_STATE_PLACES)] = ()
    shutdown_awaited: Annotated[tuple[int, ...], at_most(MAX_PRINCIPALS)] = ()
    round_awaited: Annotated[tuple[int, ...], at_most(MAX_PRINCIPALS)] = ()
    consent_awaited: Annotated[tuple[int, ...], at_most(MAX_PRINCIPALS)] = ()
    receipts: int = 0


@message(pb.Awaited)
class Awaited:
    """The word was counted; it takes that of these, by client id, too."""

    clients: Annotated[tuple[int, ...], at_most(MAX_PRINCIPALS)]


@message(pb.ReceiptIs)
class ReceiptIs:
    """A receipt (COSE_Sign1)."""

    receipt: bytes


@message(pb.DigestIs)
class DigestIs:
    """A SHA-256 digest (32 bytes)."""

    digest: Annotated[bytes, exactly(32)]


@message(pb.Result)
class ResultIs:
    """The result has `size` bytes, which follow; `present` is False when the program wrote none.

    They are those from `offset` on: what the principal said it has, or 0. `receipt` is the
    runtime's signed account of the run (COSE_Sign1).
    """

    present: bool
    size: int
    receipt: bytes
    offset: int = 0


@message(pb.ProgramFailed)
class ProgramFailed:
    """The program ran and returned a code other than 0."""

    return_code: int
    receipt: bytes


@message(pb.Refused)
class Refused:
    """Refused, and nothing changed by it; `found` and `expected` are public facts only."""

    status: ResponseStatus
    reason: RefusalReason
    found: Annotated[str, at_most(_MAX_FACT_CHARS)] = ""
    expected: Annotated[str, at_most(_MAX_FACT_CHARS)] = ""


@message(pb.Frame)
class TrapFrame:
    """A call on the stack of a program that trapped: its function's index, and where it was.

    `offset` is in bytes from the module's beginning, 0 when it is not known; `name` is from the
    module's name section, empty without one.
    """

    function: int
    offset: int
    name: Annotated[str, at_most(MAX_NAME_CHARS)]


@message(pb.FailureReport)
class FailureReport:
    """How the computation failed, as in "trapped: unreachable".

    `frames` say where in the program, innermost first, and `message` is what it said to its author;
    both are empty unless the policy says `debug`. Then there is a report of a program that
    returned, too, with `failure` as in "returned: -4", or empty.
    """

    failure: Annotated[str, at_most(_MAX_FACT_CHARS)]
    frames: Annotated[tuple[TrapFrame, ...], at_most(MAX_FRAMES)]
    message: Annotated[str, at_most(MAX_MESSAGE_CHARS)] = ""


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
    | Awaited
    | ReceiptIs
)
RESPONSE: Final[Envelope[Response]] = Envelope(pb.Response, *get_args(Response))
