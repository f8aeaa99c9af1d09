"""The engine's part in doing a run again; it takes the extra `replay`."""

from dataclasses import field, replace

from durango.errors import ReplayError
from durango.replay_files import OpenFiles
from execution_engine.errors import EngineError, LimitError, TrapError
from execution_engine.limits import EngineLimits
from execution_engine.program import Program
from execution_engine.run import RunInputs
from execution_engine.strategy import engine_version
from platform_services.seeded import SeededRandomSource
from psa_attestation.receipts.receipt import Receipt, RunEnd
from veracruz_utils.frozen import frozen
from veracruz_utils.policy import Policy


@frozen
class Rerun:
    """How a run ended here.

    Attributes:
        engine: which did it.
        end: how.
        return_code: None after a trap.
        output: what the program wrote.
        fuel: what it took, if it was counted.
    """

    engine: str
    end: RunEnd
    return_code: int | None = None
    output: bytes | None = field(default=None, repr=False)
    fuel: int | None = None


def rerun(receipt: Receipt, policy: Policy, made_of: OpenFiles, *, seconds: float | None) -> Rerun:
    """What comes of a run of a deterministic policy here.

    Args:
        receipt: of it, with the seed.
        policy: which it ran under.
        made_of: what it ran on.
        seconds: how long it may take; None is as long as the policy says.

    Raises:
        ReplayError: this engine does not run it, or not in time.
    """
    assert receipt.seed is not None
    limits = EngineLimits.from_policy(policy.limits)
    if seconds is not None:
        limits = replace(limits, run_seconds=seconds)
    try:
        with Program.load(
            made_of.program,
            strategy=policy.strategy,
            limits=limits,
            canonical_nans=receipt.canonical_nans,
        ) as program:
            inputs = RunInputs(made_of.inputs, made_of.streams, made_of.previous)
            outcome = program.run(inputs, random=SeededRandomSource(receipt.seed))
    except TrapError:
        return Rerun(engine_version(), RunEnd.TRAPPED)
    except LimitError as error:
        raise ReplayError(
            f"{error}: give it longer with --seconds, or a machine with more memory"
        ) from error
    except EngineError as error:
        raise ReplayError(f"this engine does not run the program: {error}") from error
    end = RunEnd.FINISHED if outcome.return_code == 0 else RunEnd.ERROR_CODE
    return Rerun(engine_version(), end, outcome.return_code, outcome.output, outcome.fuel)
