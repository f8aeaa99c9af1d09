"""One computation on the bench: the state machine of an isolate, without its walls."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

from colima.runtime import ContentKind, Upload
from mexico_city.attempts import RunResult
from mexico_city.computation import Computation, Job
from mexico_city.content import content_of
from mexico_city.errors import DeniedError
from platform_services import LinuxRandomSource
from sdk.errors import NotAllowedError
from sdk.freestanding.guest import GuestOptions
from sdk.freestanding.messages import ModuleLoaded
from sdk.freestanding.process import CallListener, GuestProcess, GuestStoppedError
from sdk.freestanding.report import RoundReport, RunEnding, RunReport
from sdk.freestanding.sources import Source, assign
from sdk.freestanding.terms import Terms, client_named
from veracruz_utils.digest import Digest
from veracruz_utils.frozen import frozen


@frozen
class Options:
    """What a run reports besides its result, and what helps it.

    Attributes:
        previous: a result to go on from in the first round.
        profile: look where each round spends its time; the program runs a little slower then.
        cache: a folder of this user's own that keeps compiled code; made if it is not there.
        on_call: gets every host call.
    """

    previous: Source | None = None
    profile: bool = False
    cache: Path | None = None
    on_call: CallListener | None = None


def run_freestanding(
    code: bytes,
    terms: Terms,
    *,
    data: Sequence[Source] = (),
    streams: Sequence[Sequence[Source]] = ((),),
    options: Options | None = None,
) -> RunReport:
    """Run the rounds of a computation, up to the first that does not return 0.

    However the program ends, there is a report. This forks: no other thread may hold a lock.

    Args:
        code: the module.
        terms: what it is held to.
        data: the static inputs.
        streams: the stream inputs of each round, of which there is at least one.
        options: what else is wanted.

    Raises:
        NotAllowedError: the policy does not allow this.
        UsageError: there are more or fewer inputs than the policy orders.
        SdkError: a file cannot be read.
    """
    computation = Computation(terms.policy, LinuxRandomSource())
    try:
        with _allowed():
            return _Bench(computation, code, terms, options or Options()).run(data, streams)
    finally:
        computation.close()


class _Bench:
    """A computation and its guest."""

    def __init__(
        self, computation: Computation, code: bytes, terms: Terms, options: Options
    ) -> None:
        self._computation = computation
        self._code = code
        self._terms = terms
        self._options = options

    def run(self, data: Sequence[Source], streams: Sequence[Sequence[Source]]) -> RunReport:
        terms = self._terms
        policy = terms.policy
        report = RunReport(
            Digest.of(self._code),
            len(self._code),
            policy.strategy,
            terms.stated,
            canonical_nans=policy.conduct.canonical_nans,
        )
        inputs = list(assign(data, policy.data_provision_order, what="inputs"))
        rounds = [
            list(assign(each, policy.streaming_order, what="streams of a round"))
            for each in streams
        ]
        process = GuestProcess(self._guest_options(), on_call=self._options.on_call)
        with closing(process) as guest:
            try:
                report = replace(report, loaded=self._load(guest))
            except GuestStoppedError as error:
                return replace(report, refused=error.stopped)
            for each in inputs:
                self._provide(ContentKind.DATA, each)
            return replace(report, rounds=self._rounds(guest, rounds))

    def _guest_options(self) -> GuestOptions:
        terms, options = self._terms, self._options
        limits = terms.limits
        if options.profile:
            limits = replace(limits, run_seconds=terms.run_seconds)
        return GuestOptions(
            terms.policy.strategy,
            limits,
            terms.policy.limits,
            canonical_nans=terms.policy.conduct.canonical_nans,
            trace=options.on_call is not None,
            profile=options.profile,
            cache=options.cache,
            run_seconds=terms.run_seconds,
        )

    def _load(self, guest: GuestProcess) -> ModuleLoaded:
        """Have the policy and then the engine accept the program."""
        upload = Upload(ContentKind.PROGRAM, 0, len(self._code))
        slot = self._computation.provision.reserve(self._terms.provider, upload)
        module = content_of(self._code)
        try:
            self._computation.provision.check_program(slot, module)
            loaded = guest.load(module, seconds=self._terms.compile_seconds)
        finally:
            module.close()
        self._computation.provision.program_loaded()
        return loaded

    def _provide(self, kind: ContentKind, source: Source) -> None:
        """Read a file and provide it as its client would."""
        assert source.client_id is not None
        assert source.package_id is not None
        client = client_named(self._terms.policy, source.client_id)
        content = source.read("input" if kind is ContentKind.DATA else "stream")
        try:
            upload = Upload(kind, source.package_id, content.size)
            slot = self._computation.provision.reserve(client, upload)
        except DeniedError:
            content.close()
            raise
        self._computation.provision.provide(slot, content)

    def _rounds(
        self, guest: GuestProcess, streams: Sequence[Sequence[Source]]
    ) -> list[RoundReport]:
        """The rounds, up to the first that does not return 0."""
        rounds: list[RoundReport] = []
        for number, sources in enumerate(streams, start=1):
            if rounds:
                self._begin_round()
            for each in sources:
                self._provide(ContentKind.STREAM, each)
            rounds.append(self._round(guest, number))
            if rounds[-1].ending is not RunEnding.SUCCEEDED:
                break
        return rounds

    def _begin_round(self) -> None:
        """Ask as those whose word counts, until it is enough."""
        policy = self._terms.policy
        for client_id in sorted(policy.conduct.next_round.of):
            if self._computation.next_round(client_named(policy, client_id)):
                return

    def _round(self, guest: GuestProcess, number: int) -> RoundReport:
        job = self._computation.request_result(self._terms.reader)
        assert isinstance(job, Job)  # nobody else asks
        if number == 1 and self._options.previous is not None:
            job = replace(job, previous=self._options.previous.read("previous result"))
        try:
            returned, content = guest.run(job, seconds=self._terms.run_seconds)
        except GuestStoppedError as error:
            return RoundReport(number, stopped=error.stopped, profile=guest.profile)
        self._computation.run_finished(RunResult(returned.return_code, content, receipt=b""))
        result = None if content is None else content.read(0, content.size)
        terms = self._terms
        policy = terms.policy if terms.stated else None
        return RoundReport(number, returned, result, profile=guest.profile, policy=policy)


@contextmanager
def _allowed() -> Iterator[None]:
    """Say what the policy refuses as an error of ours."""
    try:
        yield
    except DeniedError as refusal:
        answer = refusal.answer
        reason = answer.reason.name.lower().replace("_", "-")
        expected = f", expected {answer.expected}" if answer.expected else ""
        raise NotAllowedError(
            f"an isolate would refuse this ({reason}): {answer.found}{expected}"
        ) from None
