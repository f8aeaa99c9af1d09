"""The application on a socket: uvicorn with limits, in a thread beside the gRPC server."""

import socket
import threading
from typing import Any, Final, Self, cast

import uvicorn
from fastapi import FastAPI

from tabasco.http.connections import MAX_CONNECTIONS, Connections
from tabasco.http.heads import protocol_with
from veracruz_shells.server_tls import ServerTls
from veracruz_shells.tls_files import ServerFiles
from veracruz_utils.address import Address
from veracruz_utils.errors import VeracruzError

_GRACE_S: Final = 5


class HttpService:
    """The application, from `with` on until the block is left.

    Args:
        app: the application.
        address: where to listen; port 0 takes a free one.
        tls: None for plain HTTP, which is for this machine alone.

    Raises:
        VeracruzError: plain HTTP would leave this machine, or the files of TLS cannot be used.
    """

    def __init__(self, app: FastAPI, address: Address, *, tls: ServerFiles | None = None) -> None:
        if tls is None and not address.is_loopback:
            raise VeracruzError(
                f"tokens of administrators do not go over plain HTTP to {address}: give "
                "--http-certificate and --http-key, or listen on 127.0.0.1 behind a proxy with TLS"
            )
        self._address = address
        served = None if tls is None else ServerTls(tls, require_client=False)
        self._room = Connections()
        config = uvicorn.Config(
            app,
            http=cast("Any", protocol_with(served, self._room)),  # any callable will do
            lifespan="off",
            # By default uvicorn would set up the logging of the whole process.
            log_config=None,
            access_log=False,
            server_header=False,
            # X-Forwarded-For can be written by anybody, and no proxy of ours is known here.
            proxy_headers=False,
            ws="none",
            # Bounded by `Connections`: uvicorn's own bound would count those that just ended, too.
            limit_concurrency=None,
            timeout_keep_alive=5,
            timeout_graceful_shutdown=_GRACE_S,
            # Bounds a head; how long it may take is seen to by `TimedHeads`.
            h11_max_incomplete_event_size=16 * 1024,
        )
        config.load()
        self._scheme = "http" if tls is None else "https"
        self._server = uvicorn.Server(config)

    def __enter__(self) -> Self:
        """Listen.

        Raises:
            VeracruzError: the address cannot be listened on.
        """
        family = socket.AF_INET6 if ":" in self._address.host else socket.AF_INET
        try:
            self._socket = socket.create_server(
                (self._address.host, self._address.port), family=family, backlog=MAX_CONNECTIONS
            )
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise VeracruzError(f"cannot listen on {self._address} for HTTP: {reason}") from error
        # Connections have it from here, for asyncio sets it for other sockets alone. Without it the
        # body of an answer waits for the client's word that the head has come, which it delays.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._address = Address(self._address.host, self._socket.getsockname()[1])
        # Outside the main thread uvicorn leaves signals alone: they are the gRPC service's.
        self._thread = threading.Thread(
            target=self._server.run, args=([self._socket],), name="http"
        )
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._room)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"{self._scheme}://{self._address}"
