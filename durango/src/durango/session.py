"""Requests and answers of one session: what goes over the wire, and in which order.

One request at a time, one answer each. An upload is announced, waits for the isolate's word, and is
answered when its last byte has arrived; a result is announced by its frame and follows it. When the
connection breaks, what can be asked twice is asked again, and content goes on where it stopped.
"""

from collections.abc import Callable
from functools import partial
from typing import NoReturn, TypeVar

from colima import WireError, runtime
from durango.content import UploadContent
from durango.endings import expiry_explained
from durango.errors import ProtocolError
from durango.lifeline import Lifeline
from durango.refusals import refusal
from durango.transfers import Fetching, Progress, Sending
from jalisco import Connection, SessionError, SessionLostError
from veracruz_utils.digest import Digest
from veracruz_utils.policy import Policy

_AnswerT = TypeVar("_AnswerT")
_Expected = type[_AnswerT] | tuple[type[_AnswerT], ...]


class PrincipalSession:
    """A connection that speaks `colima.runtime`.

    Args:
        line: to the isolate.
        policy: the isolate's.
        timeout_s: for each answer that nothing has to be computed for.
    """

    def __init__(self, line: Lifeline, policy: Policy, *, timeout_s: float) -> None:
        self._line = line
        self._policy = policy
        self._timeout_s = timeout_s

    def ask(self, name: str, request: runtime.Request, expected: _Expected[_AnswerT]) -> _AnswerT:
        """The answer to `request`, which errors call `name`, and which may be asked twice.

        Raises:
            RequestRefusedError, RequestFailedError: the isolate said no.
            PolicyExpiredError: it is gone, as the policy says.
            ProtocolError: it answered something else.
            SessionError: it did not answer.
        """
        with expiry_explained(self._policy):
            return self._line.persist(partial(self._exchange, name, request, expected))

    def ask_once(
        self, name: str, request: runtime.Request, expected: _Expected[_AnswerT]
    ) -> _AnswerT:
        """The answer to a request that must not be carried out twice.

        Raises:
            As `ask`; after a SessionError it may have been carried out.
        """
        with expiry_explained(self._policy):
            try:
                return self._line.once(partial(self._exchange, name, request, expected))
            except SessionLostError as error:
                raise SessionLostError(
                    f"{error} (`durango status` tells what became of it)"
                ) from error

    def agree(self, name: str, request: runtime.Request, *, twice: bool) -> tuple[int, ...]:
        """Ask for what may take others, too: whose word is still missing; nobody's if it is done.

        Args:
            name: what errors call it.
            request: what is asked.
            twice: whether it may be asked twice.

        Raises:
            As `ask`, or as `ask_once`.
        """
        ask = self.ask if twice else self.ask_once
        answer = ask(name, request, (runtime.Done, runtime.Awaited))
        return answer.clients if isinstance(answer, runtime.Awaited) else ()

    def upload(
        self,
        request: runtime.Upload,
        content: UploadContent,
        expected: type[_AnswerT],
        *,
        patience_s: float,
        on_progress: Progress | None,
    ) -> _AnswerT:
        """Send content; the answer to it.

        Args:
            request: announces it, by its digest.
            content: just that.
            expected: the answer that says it is in.
            patience_s: how long that answer may take beyond `timeout_s`.
            on_progress: called with the size of every piece.

        Raises:
            As `ask`.
        """
        sending = Sending(request, content, on_progress)
        attempt = partial(self._send_content, sending, expected, self._timeout_s + patience_s)
        with expiry_explained(self._policy):
            return self._line.persist(attempt, position=lambda: sending.there)

    def fetch(
        self,
        write: Callable[[bytes], object],
        *,
        limit: int,
        patience_s: float,
        retry: bool = False,
    ) -> tuple[Digest, runtime.ResultIs | runtime.ProgramFailed]:
        """The result, handed to `write` in pieces; its SHA-256, and the frame that announced it.

        Args:
            write: gets the pieces.
            limit: the largest result taken, in bytes.
            patience_s: how long the program may run.
            retry: have it run again after a run that failed.

        Raises:
            DurangoError: it broke off, and meanwhile another result took its place.
            As `ask`.
        """
        fetching = Fetching(write, limit, retry=retry)
        attempt = partial(self._fetch_content, fetching, self._timeout_s + patience_s)
        with expiry_explained(self._policy):
            answer = self._line.persist(attempt, position=lambda: fetching.received)
        return Digest(fetching.sha256.digest()), answer

    def close(self) -> None:
        """Close the connection."""
        self._line.close()

    def _send_content(
        self,
        sending: Sending,
        expected: type[_AnswerT],
        timeout_s: float,
        connection: Connection,
    ) -> _AnswerT:
        request = sending.request
        name = request.kind.name.lower()
        answer = self._say(connection, name, request, self._timeout_s)
        if isinstance(answer, expected):  # by its digest; perhaps only that answer was lost
            sending.go_to(request.size)
            self._line.found(f"the isolate has this very {name} already")
            return answer
        sending.go_to(self._expect(name, answer, runtime.Proceed).offset)
        self._line.found(_going_on(sending.there, request.size))
        for piece in sending.pieces():
            try:
                connection.send_content(piece)
            except SessionError as error:
                self._explain_interruption(connection, name, error)
            sending.sent(len(piece))
        return self._expect(name, self._receive(connection, timeout_s), expected)

    def _fetch_content(
        self, fetching: Fetching, timeout_s: float, connection: Connection
    ) -> runtime.ResultIs | runtime.ProgramFailed:
        request = fetching.request()
        answer = self._say(connection, "result", request, timeout_s)
        if isinstance(answer, runtime.ProgramFailed):
            fetching.require_none()
            self._line.found()
            return answer
        result = self._expect("result", answer, runtime.ResultIs)
        rest = fetching.begin(result)
        self._line.found(_going_on(result.offset, result.size))
        for piece in connection.receive_content(rest, timeout_s=self._timeout_s):
            fetching.take(piece)
        return result

    def _exchange(
        self,
        name: str,
        request: runtime.Request,
        expected: _Expected[_AnswerT],
        connection: Connection,
    ) -> _AnswerT:
        answer = self._say(connection, name, request, self._timeout_s)
        self._line.found()
        return self._expect(name, answer, expected)

    def _say(
        self, connection: Connection, name: str, request: runtime.Request, timeout_s: float
    ) -> runtime.Response:
        try:
            connection.send_frame(runtime.REQUEST.encode(request))
        except SessionError as error:
            self._explain_interruption(connection, name, error)
        return self._receive(connection, timeout_s)

    def _receive(self, connection: Connection, timeout_s: float) -> runtime.Response:
        payload = connection.receive_frame(timeout_s=timeout_s)
        try:
            return runtime.RESPONSE.decode(payload)
        except WireError as error:
            raise ProtocolError(f"the isolate sent a malformed answer: {error}") from error

    def _expect(
        self, name: str, answer: runtime.Response, expected: _Expected[_AnswerT]
    ) -> _AnswerT:
        if isinstance(answer, expected):
            return answer
        if isinstance(answer, runtime.Refused):
            raise refusal(name, answer)
        kinds = expected if isinstance(expected, tuple) else (expected,)
        raise ProtocolError(
            f"the isolate answered {name} with {type(answer).__name__}, "
            f"{' or '.join(each.__name__ for each in kinds)} was expected"
        )

    def _explain_interruption(
        self, connection: Connection, name: str, error: SessionError
    ) -> NoReturn:
        """Raise what the isolate said before it closed the session, or `error`."""
        try:
            answer = self._receive(connection, 0)
        except SessionError:
            raise error from None
        if isinstance(answer, runtime.Refused):
            raise refusal(name, answer) from error
        raise error


def _going_on(offset: int, size: int) -> str:
    return f"going on at {100 * offset // size} %" if offset and size else ""
