"""Eight parallel clients against Tabasco on SQLite and on PostgreSQL, over gRPC.

A client enrols instances (two calls each, one of them waits for the disk) or has tokens verified.
The reference is one client that does the same work alone; PostgreSQL is left out where it is not
installed, and runs without `fsync`, as everything here is on one machine.
"""

import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Final

import grpc
from measuring import Figure, in_turns, run, seconds

sys.path.append(str(Path(__file__).parents[1] / "tests"))

import colima
import colima.tabasco as wire
from support.enrolment import RootAttester, SoftwareRoot, pem
from support.postgresql import AVAILABLE, Server
from veracruz import Service
from veracruz_shells.channels import open_channel, unary
from veracruz_utils.policy import LINUX_SOFTWARE

_CLIENTS: Final = 8
_TOKENS: Final = 160
_ENROLMENTS: Final = 40
_CHALLENGE: Final = sha256(b"challenge").digest()


class _Client:
    def __init__(self, channel: grpc.Channel, root: SoftwareRoot) -> None:
        self._channel = channel
        self._root = root
        self.enrol()

    def enrol(self) -> None:
        """Enrol a new instance."""
        self.attester = RootAttester(self._root)
        begun = self._call("BeginEnrolment", wire.BeginEnrolmentRequest(LINUX_SOFTWARE))
        self._call("CompleteEnrolment", self.attester.enrolment(begun.challenge))

    def verify(self) -> None:
        """Have a token of the last instance verified."""
        token = self.attester.token(_CHALLENGE)
        self._call("VerifyToken", wire.VerifyTokenRequest(token, _CHALLENGE))

    def _call(self, method: str, request: object) -> object:
        name = f"/{wire.SERVICE}/{method}"
        data = colima.encode(request)
        answer = unary(self._channel, name, data, timeout_s=60, peer="tabasco")
        return colima.decode(getattr(wire, f"{method}Response"), answer)


def measure(rounds: int) -> list[Figure]:
    """Have clients enrol instances and verify tokens, alone and eight at a time."""
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="veracruz-bench-") as folder, ExitStack() as stack:
        databases: dict[str, str | None] = {"SQLite": None}
        if AVAILABLE:
            server = Server()
            stack.callback(server.close)
            databases["PostgreSQL"] = server.database("bench")
        for name, url in databases.items():
            with _clients(Path(folder) / name, url) as clients:
                figures += _compare(name, clients, rounds)
    return figures


@contextmanager
def _clients(folder: Path, url: str | None) -> Iterator[list[_Client]]:
    folder.mkdir()
    root = SoftwareRoot()
    (folder / "lab.pem").write_bytes(pem(root.key))
    database = [] if url is None else ["--database", url]
    arguments = ["serve", "--state", folder / "state", "--listen", "127.0.0.1:0", *database]
    trusted = ["--trust-root", folder / "lab.pem"]
    with (
        Service("tabasco", [*map(str, arguments), *map(str, trusted)]) as service,
        ExitStack() as s,
    ):
        address = service.wait_ready()
        yield [_Client(s.enter_context(open_channel(address)), root) for _ in range(_CLIENTS)]


def _compare(name: str, clients: list[_Client], rounds: int) -> list[Figure]:
    works: list[tuple[str, Callable[[_Client], None], int]] = [
        ("token verifications", _Client.verify, _TOKENS),
        ("enrolments", _Client.enrol, _ENROLMENTS),
    ]
    figures: list[Figure] = []
    for what, work, count in works:
        alone, together = in_turns(
            [
                lambda work=work, count=count: seconds(lambda: _share(clients[:1], work, count)),
                lambda work=work, count=count: seconds(lambda: _share(clients, work, count)),
            ],
            rounds=rounds,
        )
        ratios = [one / eight for one, eight in zip(alone, together, strict=True)]
        rates = [count / each for each in together]
        figures += [
            Figure(f"{what} of {_CLIENTS} clients on {name}", "one client", ratios),
            Figure(f"{what} of {_CLIENTS} clients on {name}", "per second", rates, unit="/s"),
        ]
    return figures


def _share(clients: list[_Client], work: Callable[[_Client], None], count: int) -> None:
    def part(client: _Client) -> None:
        for _ in range(count // len(clients)):
            work(client)

    with ThreadPoolExecutor(len(clients)) as pool:
        list(pool.map(part, clients))


if __name__ == "__main__":
    run("tabasco_clients", measure, rounds=5)
