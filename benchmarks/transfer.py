"""256 MiB from durango into the isolate and back, against a TLS socket in Python.

Up goes a stream item, down comes a result of the same bytes; the run between the two is not
measured. Ours hashes on both sides, keeps what it takes, and goes through the bridge; the direct
socket does nothing of the kind. Memory is that of the bridge and of the isolate's two processes
beyond their rest before the upload; what they were given stays in files in memory, which count as
the input.
"""

import os
from dataclasses import dataclass, field

from computations import Deployment
from direct_tls import DirectTls, direct_tls
from measuring import (
    MIB,
    Figure,
    Memory,
    at_least,
    at_most,
    children_of,
    forget_peak,
    in_pairs,
    run,
    seconds,
)
from wasmtime import wat2wasm

from durango import Principal
from veracruz_utils.digest import Digest
from veracruz_utils.policy import Role

_SIZE = 256 * MIB
ALL_ROLES = [[Role.PI_PROVIDER, Role.STREAM_PROVIDER, Role.RESULT_READER]]
COPY = """(module
  (import "env" "__veracruz_hcall_stream_size" (func $size (param i32 i32) (result i32)))
  (import "env" "__veracruz_hcall_read_stream" (func $read (param i32 i32 i32) (result i32)))
  (import "env" "__veracruz_hcall_write_output" (func $write (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "main") (result i32)
    (drop (call $size (i32.const 0) (i32.const 0)))
    (drop (memory.grow (i32.add (i32.shr_u (i32.load (i32.const 0)) (i32.const 16)) (i32.const 1))))
    (drop (call $read (i32.const 0) (i32.const 65536) (i32.load (i32.const 0))))
    (call $write (i32.const 65536) (i32.load (i32.const 0)))))"""


@dataclass(slots=True)
class Ours:
    """Uploads and fetches of one principal, and what they cost."""

    principal: Principal
    bridge: int
    isolate: list[int]
    content: bytes = field(repr=False)
    begun: bool = False
    uploads: list[float] = field(default_factory=list)
    fetches: list[float] = field(default_factory=list)
    bridge_growth: list[float] = field(default_factory=list)
    isolate_growth: list[float] = field(default_factory=list)
    rest: list[float] = field(init=False)

    def __post_init__(self) -> None:
        self.rest = [Memory.of(each).resident for each in self._processes]

    @property
    def _processes(self) -> list[int]:
        return [self.bridge, *self.isolate]

    def transfer(self) -> float:
        """Up and down once; the seconds of both."""
        if self.begun:
            self.principal.next_round()
        self.begun = True
        for each in self._processes:
            forget_peak(each)
        self.uploads.append(seconds(lambda: self.principal.send_stream(0, self.content)))
        self.isolate_growth.append(sum(self._growth()[1:]))
        outcome = self.principal.save_result(lambda _: None)  # runs the program, too
        assert outcome.output_digest == Digest.of(self.content)
        self.fetches.append(seconds(lambda: self.principal.save_result(lambda _: None)))
        self.bridge_growth.append(self._growth()[0])
        return self.uploads[-1] + self.fetches[-1]

    def _growth(self) -> list[float]:
        peaks = [Memory.of(each).peak for each in self._processes]
        return [peak - before for peak, before in zip(peaks, self.rest, strict=True)]


@dataclass(slots=True)
class Theirs:
    """The same over a direct connection."""

    direct: DirectTls
    content: bytes = field(repr=False)
    uploads: list[float] = field(default_factory=list)
    fetches: list[float] = field(default_factory=list)

    def transfer(self) -> float:
        """Up and down once; the seconds of both."""
        self.uploads.append(seconds(lambda: self.direct.upload(self.content)))
        self.fetches.append(seconds(lambda: self.direct.fetch(_SIZE)))
        return self.uploads[-1] + self.fetches[-1]


def measure(rounds: int) -> list[Figure]:
    """Move 256 MiB up and down, through the bridge and over a socket."""
    program = bytes(wat2wasm(COPY))
    with (
        Deployment() as deployment,
        deployment.computation(ALL_ROLES, program=program, streams=[0]) as computation,
        computation.connect(0) as principal,
        direct_tls(_SIZE) as (direct, _),
    ):
        principal.send_program(program)
        content = os.urandom(_SIZE)
        bridge = computation.bridge.process_id
        ours = Ours(principal, bridge, isolate_of(deployment), content)
        theirs = Theirs(direct, content)
        paired = in_pairs(ours.transfer, theirs.transfer, rounds=rounds)
    return [
        Figure("256 MiB up and down", "a TLS socket in Python", paired.rate_ratios, at_least(0.5)),
        _ratio("up alone", theirs.uploads, ours.uploads),
        _ratio("down alone", theirs.fetches, ours.fetches),
        Figure("the bridge", "above its rest", ours.bridge_growth, at_most(64), unit="MiB"),
        Figure(
            "the isolate",
            "above its rest and its input",
            ours.isolate_growth,
            at_most(64),
            unit="MiB",
        ),
    ]


def _ratio(what: str, theirs: list[float], ours: list[float]) -> Figure:
    rates = [their / our for their, our in zip(theirs, ours, strict=True)]
    return Figure(what, "a TLS socket in Python", rates[1:])


def isolate_of(deployment: Deployment) -> list[int]:
    """The two processes of the only isolate: Sonora's zygote forks one, which forks the other."""
    (zygote,) = children_of(deployment.sonora.process_id)
    (front,) = children_of(zygote)
    return [front, *children_of(front)]


if __name__ == "__main__":
    run("transfer", measure, rounds=5)
