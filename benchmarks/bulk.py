"""Processor time of 256 MiB from durango into the isolate and back, over bare TCP and over gRPC.

Everybody's counts: the client's, the bridge's, that of the isolate's processes. The reference is a
TLS socket in Python that does with the bytes what has to be done: both ends hash, and who takes
them keeps them. Beside it stands one that only moves them. The run between up and down is not
measured.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from computations import Deployment
from direct_tls import DirectTls, direct_tls
from measuring import MIB, Figure, at_least, in_turns, processor_seconds_with, run
from transfer import ALL_ROLES, COPY, isolate_of
from wasmtime import wat2wasm

from durango import Principal, TransportKind
from veracruz_utils.digest import Digest

_SIZE = 256 * MIB
_GB = _SIZE / 1e9


@dataclass(slots=True)
class _Way:
    """Up and down over and over, and what each costs."""

    processes: Sequence[int]
    ups: list[float] = field(default_factory=list)
    downs: list[float] = field(default_factory=list)

    def cost(
        self, up: Callable[[], object], between: Callable[[], object], down: Callable[[], object]
    ) -> float:
        """Once; the processor seconds of both ways."""
        self.ups.append(processor_seconds_with(self.processes, up))
        between()
        self.downs.append(processor_seconds_with(self.processes, down))
        return self.ups[-1] + self.downs[-1]


def measure(rounds: int) -> list[Figure]:
    """Count what 256 MiB up and down cost over TCP, over gRPC, and over plain sockets."""
    program = bytes(wat2wasm(COPY))
    content = os.urandom(_SIZE)
    with (
        Deployment() as deployment,
        deployment.computation(ALL_ROLES, program=program, streams=[0], bulk=True) as computation,
        computation.connect(0, transport=TransportKind.TCP) as over_tcp,
        computation.connect(0, transport=TransportKind.GRPC) as over_grpc,
        direct_tls(_SIZE, hashed=True) as (hashed, hashing),
        direct_tls(_SIZE) as (bare, moving),
    ):
        over_tcp.send_program(program)
        ours = [computation.bridge.process_id, *isolate_of(deployment)]
        tcp, grpc, alike, least = _Way(ours), _Way(ours), _Way([hashing]), _Way([moving])
        digest = Digest.of(content)
        in_turns(
            [
                lambda: _ours(tcp, over_tcp, content, digest),
                lambda: _ours(grpc, over_grpc, content, digest),
                lambda: _alike(alike, hashed, content, digest),
                lambda: least.cost(
                    lambda: bare.upload(content), lambda: None, lambda: bare.fetch(_SIZE)
                ),
            ],
            rounds=rounds,
        )
    same, other = "a TLS socket in Python that hashes and keeps", "a TLS socket in Python"
    return [
        Figure("up over TCP", same, _rates(tcp.ups, alike.ups), at_least(0.9)),
        Figure("down over TCP", same, _rates(tcp.downs, alike.downs), at_least(0.9)),
        Figure("up over gRPC", same, _rates(grpc.ups, alike.ups)),
        Figure("down over gRPC", same, _rates(grpc.downs, alike.downs)),
        Figure("up over TCP", other, _rates(tcp.ups, least.ups)),
        Figure("down over TCP", other, _rates(tcp.downs, least.downs)),
        *(
            Figure(f"{way} {what}", "", [each / _GB for each in found[1:]], unit="s/GB")
            for what, found_both in (
                ("over TCP", tcp),
                ("over gRPC", grpc),
                ("of the socket that hashes", alike),
                ("of the socket", least),
            )
            for way, found in (("up", found_both.ups), ("down", found_both.downs))
        ),
    ]


def _ours(way: _Way, principal: Principal, content: bytes, digest: Digest) -> float:
    if principal.state().receipts:
        principal.next_round()

    def run_it() -> None:
        assert principal.save_result(lambda _: None).output_digest == digest

    return way.cost(
        lambda: principal.send_stream(0, content),
        run_it,
        lambda: principal.save_result(lambda _: None),
    )


def _alike(way: _Way, direct: DirectTls, content: bytes, digest: Digest) -> float:
    def fetch() -> None:
        assert direct.fetch_hashed(_SIZE) == digest.value

    return way.cost(lambda: direct.upload_hashed(content), lambda: None, fetch)


def _rates(ours: list[float], theirs: list[float]) -> list[float]:
    """How many times as cheap ours is, but for the first round, which does not count."""
    return [their / our for our, their in zip(ours[1:], theirs[1:], strict=True)]


if __name__ == "__main__":
    run("bulk", measure, rounds=5)
