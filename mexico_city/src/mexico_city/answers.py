"""The answers that principals wait for, and when they get them."""

from collections.abc import Callable
from typing import Final

from colima.runtime import ProgramFailed, RefusalReason, Response, ResultIs
from mexico_city.attempts import RunResult
from mexico_city.content import Content
from mexico_city.dialogue import Dialogue
from mexico_city.errors import DeniedError
from veracruz_utils.policy import PolicyIdentity

_NO_COPY: Final = DeniedError(
    RefusalReason.BUSY, found="the isolate has too many open files", expected="try again"
)


class Answers:
    """Readers who wait for a run, and answers that are due but not given.

    Args:
        handed_over: told who is going to get the result of the round.
    """

    def __init__(self, handed_over: Callable[[PolicyIdentity], None]) -> None:
        self._handed_over = handed_over
        self._readers: list[Dialogue] = []
        self._due: list[tuple[Dialogue, Response, Content | None]] = []

    @property
    def due(self) -> bool:
        """Whether there are some to `deliver`."""
        return bool(self._due)

    def wait(self, reader: Dialogue) -> None:
        """Have this reader wait for the run that is under way."""
        self._readers.append(reader)

    def left(self, dialogue: Dialogue) -> None:
        """Nobody waits here any more."""
        if dialogue in self._readers:
            self._readers.remove(dialogue)

    def add(self, dialogue: Dialogue, response: Response) -> None:
        """This one is due."""
        self._due.append((dialogue, response, None))

    def add_result(self, reader: Dialogue, outcome: RunResult) -> None:
        """Answer a reader with the outcome of the round."""
        if outcome.return_code != 0:
            failed = ProgramFailed(outcome.return_code, outcome.receipt)
            self.add(reader, failed)
            return
        try:
            output = outcome.output.duplicate() if outcome.output is not None else None
        except OSError:
            self.add(reader, _NO_COPY.answer)
            return
        self._handed_over(reader.identity)
        result = ResultIs(output is not None, output.size if output else 0, outcome.receipt)
        self._due.append((reader, result, output))

    def add_results(self, outcome: RunResult) -> None:
        """Answer all who wait with the outcome of the round."""
        readers, self._readers = self._readers, []
        for reader in readers:
            self.add_result(reader, outcome)

    def refuse_readers(self, refusal: DeniedError) -> None:
        """Answer all who wait with this refusal."""
        readers, self._readers = self._readers, []
        self._due += [(reader, refusal.answer, None) for reader in readers]

    def deliver(self) -> None:
        """Give the answers that became due; call after anything else here was called.

        Answers wait for this moment because a dialogue must be done asking before it is answered.
        """
        due, self._due = self._due, []
        for dialogue, response, content in due:
            if not dialogue.over:
                _answer(dialogue, response, content)
            elif content is not None:
                content.close()

    def close(self) -> None:
        """Drop them all; nobody will be answered any more."""
        due, self._due = self._due, []
        for _, _, content in due:
            if content is not None:
                content.close()


def _answer(dialogue: Dialogue, response: Response, content: Content | None) -> None:
    """Answer one principal; what goes wrong with it must not keep the others from their answers."""
    try:
        dialogue.answer(response, content)
    except Exception:  # noqa: BLE001 - as in `front`: it ends that session alone
        dialogue.over = True
