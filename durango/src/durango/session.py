"""Requests and answers of one session: what goes over the wire, and in which order.

One request at a time, one answer each. An upload is announced, waits for the isolate's word, and is
answered when its last byte has arrived; a result is announced by its frame and follows it.
"""

import hashlib
from collections.abc import Callable
from typing import NoReturn, TypeVar

from colima import WireError, runtime
from durango.content import UploadContent
from durango.endings import expiry_explained
from durango.errors import ProtocolError, refusal
from jalisco import Connection, SessionError
from veracruz_utils.digest import Digest
from veracruz_utils.policy import Policy

Progress = Callable[[int], object]
"""Called with the number of bytes that have just been sent or received."""

_AnswerT = TypeVar("_AnswerT")


class PrincipalSession:
    """An open connection that speaks `colima.runtime`.

    Args:
        connection: to the isolate.
        policy: the isolate's.
        timeout_s: for each answer that nothing has to be computed for.
    """

    def __init__(self, connection: Connection, policy: Policy, *, timeout_s: float) -> None:
        self._connection = connection
        self._policy = policy
        self._timeout_s = timeout_s

    def ask(self, name: str, request: runtime.Request, expected: type[_AnswerT]) -> _AnswerT:
        """The answer to `request`, which errors call `name`.

        Raises:
            RequestRefusedError, RequestFailedError: the isolate said no.
            PolicyExpiredError: it is gone, as the policy says.
            ProtocolError: it answered something else.
            SessionError: it did not answer.
        """
        with expiry_explained(self._policy):
            self._send(name, request)
            return self._expect(name, self._receive(self._timeout_s), expected)

    def upload(
        self,
        request: runtime.Upload,
        content: UploadContent,
        expected: type[_AnswerT],
        *,
        patience_s: float,
        on_progress: Progress | None,
    ) -> tuple[Digest, _AnswerT]:
        """Send content; the SHA-256 of what went, and the answer to it.

        Args:
            request: announces it.
            content: of the size announced.
            expected: the answer that says it is in.
            patience_s: how long that answer may take beyond `timeout_s`.
            on_progress: called with the size of every piece.

        Raises:
            As `ask`.
        """
        name = request.kind.name.lower()
        self.ask(name, request, runtime.Proceed)
        sha256 = hashlib.sha256()
        with expiry_explained(self._policy):
            for piece in content.pieces():
                try:
                    self._connection.send_content(piece)
                except SessionError as error:
                    self._explain_interruption(name, error)
                # Over the very bytes that went out: the file may become another, the opening not.
                sha256.update(piece)
                if on_progress is not None:
                    on_progress(len(piece))
            answer = self._receive(self._timeout_s + patience_s)
        return Digest(sha256.digest()), self._expect(name, answer, expected)

    def fetch(
        self, write: Callable[[bytes], object], *, limit: int, patience_s: float
    ) -> tuple[Digest, runtime.ResultIs | runtime.ProgramFailed]:
        """The result, handed to `write` in pieces; its SHA-256, and the frame that announced it.

        Args:
            write: gets the pieces.
            limit: the largest result taken, in bytes.
            patience_s: how long the program may run.

        Raises:
            As `ask`.
        """
        with expiry_explained(self._policy):
            self._send("result", runtime.GetResult())
            answer = self._receive(self._timeout_s + patience_s)
            return self._take_result(answer, write, limit=limit)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _take_result(
        self, answer: runtime.Response, write: Callable[[bytes], object], *, limit: int
    ) -> tuple[Digest, runtime.ResultIs | runtime.ProgramFailed]:
        sha256 = hashlib.sha256()
        if isinstance(answer, runtime.ProgramFailed):
            return Digest(sha256.digest()), answer
        result = self._expect("result", answer, runtime.ResultIs)
        if result.size > limit or (result.size and not result.present):
            raise ProtocolError(
                f"the isolate announced a result of {result.size} bytes, at most {limit} are taken"
            )
        for piece in self._connection.receive_content(result.size, timeout_s=self._timeout_s):
            sha256.update(piece)
            write(piece)
        return Digest(sha256.digest()), result

    def _send(self, name: str, request: runtime.Request) -> None:
        try:
            self._connection.send_frame(runtime.REQUEST.encode(request))
        except SessionError as error:
            self._explain_interruption(name, error)

    def _receive(self, timeout_s: float) -> runtime.Response:
        payload = self._connection.receive_frame(timeout_s=timeout_s)
        try:
            return runtime.RESPONSE.decode(payload)
        except WireError as error:
            raise ProtocolError(f"the isolate sent a malformed answer: {error}") from error

    def _expect(self, name: str, answer: runtime.Response, expected: type[_AnswerT]) -> _AnswerT:
        if isinstance(answer, expected):
            return answer
        if isinstance(answer, runtime.Refused):
            raise refusal(name, answer)
        raise ProtocolError(
            f"the isolate answered {name} with {type(answer).__name__}, "
            f"{expected.__name__} was expected"
        )

    def _explain_interruption(self, name: str, error: SessionError) -> NoReturn:
        """Raise what the isolate said before it closed the session, or `error`."""
        try:
            answer = self._receive(0)
        except SessionError:
            raise error from None
        if isinstance(answer, runtime.Refused):
            raise refusal(name, answer) from error
        raise error
