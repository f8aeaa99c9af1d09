"""What can go wrong for a principal, split by who must act.

VeracruzError
├ DurangoError                exit 1
│ ├ IdentityError             a certificate or key file is not what it should be
│ │ └ PasswordError           a key or PKCS#12 file has another password
│ ├ TabascoKeyError           Tabasco's result key is missing, or is not one
│ ├ AttestationFileError      a file does not hold a saved attestation
│ ├ ContentError              a file to send cannot be used
│ ├ HaltedError               it was ended from elsewhere, such as by a cancelled call
│ ├ ProtocolError             the isolate did not keep to the protocol; no answer of it is used
│ ├ ProgramFailedError        the program returned a code other than 0
│ ├ ReplayError               a run cannot be done again, or something else came of it
│ └ RequestFailedError        the isolate could not do it now, or the run failed
└ RefusedError                exit 3
  ├ GateError                 the attestation does not fit the principal's own policy
  ├ NotAuthorisedError        the policy does not give this to this identity
  ├ WrongInputError           a file is not what the policy says of its place
  ├ ReleaseError              a release, or a key for releases, is not one that is trusted here
  ├ PolicyExpiredError        the policy's time is over, and the isolate gone
  ├ ConsentError              a file is no principal's consent to the policy
  ├ ReceiptError              a receipt does not fit the policy, the attestation or the files
  └ RequestRefusedError       the isolate refused: role, program or limits of the policy

The two of requests are in `durango.refusals`, which knows the isolate's answers.
"""

from typing import TYPE_CHECKING

from veracruz_utils.errors import RefusedError, VeracruzError

if TYPE_CHECKING:
    from durango.evidence import Passed


class DurangoError(VeracruzError):
    """The principal's side could not do it."""


class IdentityError(DurangoError):
    """A certificate or key file is not what it should be."""


class PasswordError(IdentityError):
    """A key or PKCS#12 file has another password."""


class TabascoKeyError(DurangoError):
    """Tabasco's result key is missing, is not one, or is not the policy's."""


class AttestationFileError(DurangoError):
    """A file does not hold a saved attestation."""


class ContentError(DurangoError):
    """A file to send or to write cannot be used."""


class HaltedError(DurangoError):
    """It was ended from elsewhere, as when a call to the same session was cancelled."""


class ProtocolError(DurangoError):
    """The isolate did not keep to the protocol."""


class ProgramFailedError(DurangoError):
    """The program ran and returned a code other than 0.

    Attributes:
        return_code: the code.
        signed_receipt: the runtime's verified account of the run.
        meaning: what the code means, in words that go on from it; None if that is not known.
    """

    def __init__(
        self, return_code: int, signed_receipt: bytes, *, meaning: str | None = None
    ) -> None:
        self.return_code = return_code
        self.signed_receipt = signed_receipt
        self.meaning = meaning
        super().__init__(
            f"the program returned error code {return_code} and there is no result: "
            + (meaning or "see its documentation, or ask its author, what that means")
        )


class ReplayError(DurangoError):
    """A run cannot be done again, or something else came of it."""


class NotAuthorisedError(RefusedError):
    """The policy does not give this to this identity."""


class WrongInputError(RefusedError):
    """A file is not what the policy says of its place; nothing of it was sent.

    Attributes:
        form: of the text that it is in place of encoded data: `CSV` or `JSON`; None if it is none.
        header: whether the first row of that text names the columns.
    """

    def __init__(self, message: str, *, form: str | None = None, header: bool = False) -> None:
        super().__init__(message)
        self.form = form
        self.header = header


class ReleaseError(RefusedError):
    """A release of the runtime, or a key for releases, is not one that is trusted here."""


class PolicyExpiredError(RefusedError):
    """The policy's time is over, and the isolate gone with everything in it."""


class ConsentError(RefusedError):
    """A file is no consent to the policy, or a principal cannot give one."""


class ReceiptError(RefusedError):
    """A receipt does not fit the policy, the attestation or the files it is held against."""


class GateError(RefusedError):
    """The attestation does not fit the principal's own policy; nothing has been sent.

    Attributes:
        check: which check failed.
        found: what the attestation says.
        expected: what the policy or the principal says.
        remedy: what to do.
        passed: what was compared before, and was as it should be.
    """

    def __init__(self, check: str, *, found: str, expected: str, remedy: str) -> None:
        self.check = check
        self.passed: tuple[Passed, ...] = ()
        self.found = found
        self.expected = expected
        self.remedy = remedy
        super().__init__(
            f"attestation refused at {check}: found {found}, expected {expected}: {remedy}"
        )

    def with_remedy(self, remedy: str) -> "GateError":
        """The same refusal where more is known of what to do."""
        other = GateError(self.check, found=self.found, expected=self.expected, remedy=remedy)
        other.passed = self.passed
        return other
