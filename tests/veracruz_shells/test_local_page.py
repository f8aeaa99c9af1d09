"""A page on loopback stays there for its user, whatever others of the machine send it."""

import logging
import select
import socket
import threading
from contextlib import ExitStack, closing, contextmanager

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from support.patience import PATIENCE_S
from support.processes import eventually
from veracruz_shells.local_page.bodies import BODY_S, MOST_WAITING
from veracruz_shells.local_page.door import Door
from veracruz_shells.local_page.guard import Guard
from veracruz_shells.local_page.serving import (
    MOST_CONNECTIONS,
    authority_of,
    listen,
    page_server,
)

MANY = MOST_CONNECTIONS + 6
UPLOAD = "/upload"


async def echo(request: Request) -> PlainTextResponse:
    return PlainTextResponse((await request.body()).decode())


class Page:
    """A served page; `heads` opens requests of which the body does not come."""

    def __init__(self, door: Door, opened: ExitStack) -> None:
        self.door = door
        self._opened = opened

    def connection(self) -> socket.socket:
        host, port = self.door.authority.split(":")
        made = socket.create_connection((host, int(port)), PATIENCE_S)
        return self._opened.enter_context(made)

    def head(self, path: str, announced: int) -> socket.socket:
        made = self.connection()
        made.sendall(
            f"POST {path} HTTP/1.1\r\nHost: {self.door.authority}\r\nOrigin: {self.door.origin}\r\n"
            f"Content-Length: {announced}\r\n\r\n".encode()
        )
        return made

    def post(self, content: bytes) -> httpx.Response:
        """What a browser gets; one try."""
        headers = {"Origin": self.door.origin}
        return httpx.post(
            f"{self.door.origin}/enter", content=content, headers=headers, timeout=PATIENCE_S
        )


@contextmanager
def served(*, body_s: float):
    with ExitStack() as opened, closing(listen(0, option="--port")) as listening:
        door = Door(authority_of(listening))
        routes = [Route(path, echo, methods=["POST"]) for path in ("/enter", UPLOAD)]
        guard = Guard(Starlette(routes=routes), door, {UPLOAD: 1000}, body_s=body_s)
        server = page_server(guard)
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            yield Page(door, opened)
        finally:
            opened.close()
            server.should_exit = True
            thread.join(PATIENCE_S)


def said_to(connection: socket.socket) -> bytes:
    """All that comes until the other side closes; nothing where it just did."""
    heard = b""
    try:
        while more := connection.recv(4096):
            heard += more
    except ConnectionResetError:
        pass
    return heard


def is_over(connection: socket.socket) -> bool:
    """Whether there is an answer or an end."""
    return bool(select.select([connection], [], [], 0)[0])


@pytest.fixture
def quiet(caplog):
    """Nothing is written to the log, nor so to stderr."""
    caplog.set_level(logging.WARNING)
    yield
    assert caplog.records == []


@pytest.mark.usefixtures("quiet")
def test_requests_whose_body_never_comes_keep_nobody_out():
    with served(body_s=PATIENCE_S) as page:
        heads = [page.head("/enter", 43) for _ in range(MANY)]
        assert page.post(b"word").text == "word"
        # All but those that are still waited for were answered, or closed for the next.
        few = MANY - MOST_WAITING - 1
        assert eventually(lambda: sum(map(is_over, heads)) >= few)
        answers = [said_to(each) for each in heads if is_over(each)]
        assert all(each == b"" or each.startswith(b"HTTP/1.1 408 ") for each in answers)
        assert any(answers)


@pytest.mark.usefixtures("quiet")
def test_connections_that_ask_nothing_keep_nobody_out():
    with served(body_s=PATIENCE_S) as page:
        silent = [page.connection() for _ in range(MANY)]
        assert page.post(b"word").text == "word"
        assert said_to(silent[0]) == b""


@pytest.mark.usefixtures("quiet")
def test_a_body_that_is_late_is_answered_and_an_upload_has_longer():
    with served(body_s=0.2) as page:
        upload = page.head(UPLOAD, 10)
        upload.sendall(b"first")
        told = said_to(page.head("/enter", 43))
        assert told.startswith(b"HTTP/1.1 408 ")
        assert b"did not come whole in time" in told
        assert b"default-src 'none'" in told
        upload.sendall(b"after")
        assert eventually(lambda: b"firstafter" in upload.recv(4096, socket.MSG_PEEK))


@pytest.mark.usefixtures("quiet")
def test_who_leaves_in_the_middle_of_a_request_leaves_no_trace():
    with served(body_s=PATIENCE_S) as page:
        for _ in range(MOST_WAITING):
            page.head("/enter", 43).close()
        page.connection().sendall(b"no request at all\r\n\r\n")
        assert page.post(b"word").text == "word"


def test_an_ordinary_body_has_seconds():
    assert BODY_S <= 10
