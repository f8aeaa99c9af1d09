"""Who is let in: the browser that was opened by the link on the principal's terminal, and no other.

The page listens on loopback, where every user of the machine and every site that the browser shows
can send requests to it. What each of them lacks:

    (1) another site by DNS rebinding: the Host header is ours                     421
    (2) another site by a form, a script or an image: Origin and Sec-Fetch-Site    403
    (3) another user of the machine: the session, which is got by the link's word  403

The word is in the link's fragment, which browsers send nowhere. The page's script hands it in,
once, and gets a session in two halves. One is a cookie (HttpOnly, SameSite=Strict). A cookie goes
to every port of this host, so another user's server there could be sent it: the other half is a key
that the browser keeps for this origin alone, and that comes in a header, which no form and no link
can set. Downloads have no header: they come by a ticket, which was in a view that took both.
"""

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from hmac import compare_digest
from typing import Final

from starlette.datastructures import Headers
from starlette.requests import cookie_parser

from veracruz_utils.frozen import frozen

KEY_HEADER: Final = "X-Veracruz-Key"
MAX_SESSIONS: Final = 8
TICKET_S: Final = 600
_MAX_TICKETS: Final = 256
_WORD_BYTES: Final = 32


@frozen
class Admission:
    """The two halves of what a browser has that was let in; neither is any use alone."""

    cookie: str
    key: str

    def __repr__(self) -> str:
        return "<Admission>"


class TurnedAwayError(Exception):
    """A request is not answered.

    Attributes:
        status: of HTTP.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Door:
    """What is known of the browsers that were let in; takes time, and gives values.

    Args:
        authority: host and port as the browser has them, such as `127.0.0.1:8080`.
        on_link: is called with the next link when one was used.
    """

    def __init__(
        self, authority: str, *, on_link: Callable[[str], object] = lambda _: None
    ) -> None:
        self.authority = authority
        self._on_link = on_link
        self.word = secrets.token_urlsafe(_WORD_BYTES)
        self._sessions: OrderedDict[str, Admission] = OrderedDict()
        self._tickets: OrderedDict[str, tuple[str, float]] = OrderedDict()

    @property
    def cookie(self) -> str:
        """What the cookie is called: other pages of this host have others, and get this one."""
        return f"veracruz_session_{self.authority.rpartition(':')[2]}"

    @property
    def origin(self) -> str:
        """Where the page is."""
        return f"http://{self.authority}"

    @property
    def link(self) -> str:
        """The address that lets one browser in, once."""
        return f"{self.origin}/#{self.word}"

    def enter(self, word: str) -> Admission:
        """A session for whoever has the word; from now on there is another word.

        Raises:
            TurnedAwayError: that is not the word.
        """
        if not _equal(word, self.word):
            raise TurnedAwayError(403, "this link was used before, or is of an earlier start")
        self.word = secrets.token_urlsafe(_WORD_BYTES)
        session = Admission(secrets.token_urlsafe(_WORD_BYTES), secrets.token_urlsafe(_WORD_BYTES))
        self._sessions[session.cookie] = session
        while len(self._sessions) > MAX_SESSIONS:
            self._sessions.popitem(last=False)
        self._on_link(self.link)
        return session

    def require_ours(self, method: str, headers: Headers) -> None:
        """Refuse what another site has the browser send: steps 1 and 2.

        Raises:
            TurnedAwayError: it is not from this page.
        """
        hosts = headers.getlist("host")
        if hosts != [self.authority]:
            raise TurnedAwayError(421, f"this is {self.authority}, and nothing else")
        origins = headers.getlist("origin")
        if any(each != self.origin for each in origins) or (method == "POST" and not origins):
            raise TurnedAwayError(403, "this request is from another site")
        navigates = method == "GET" and headers.get("sec-fetch-mode") == "navigate"
        if headers.get("sec-fetch-site", "same-origin") != "same-origin" and not navigates:
            raise TurnedAwayError(403, "this request is from another site")

    def require_session(self, headers: Headers) -> None:
        """Refuse whoever has not both halves of a session: step 3.

        Raises:
            TurnedAwayError: they have not.
        """
        session = self._session(headers)
        if session is None or not _equal(headers.get(KEY_HEADER, ""), session.key):
            raise TurnedAwayError(403, "open this page by the link on the terminal")

    def ticket(self, what: str) -> str:
        """What lets downloads of `what` begin, for five minutes at least."""
        now = time.monotonic()
        # The same for a while: what is shown changes only when there is something new.
        for given, (for_what, until) in self._tickets.items():
            if for_what == what and until - now > TICKET_S / 2:
                return given
        made = secrets.token_urlsafe(_WORD_BYTES)
        self._tickets[made] = what, now + TICKET_S
        while len(self._tickets) > _MAX_TICKETS:
            self._tickets.popitem(last=False)
        return made

    def redeem(self, ticket: str, headers: Headers) -> str:
        """What the ticket is for.

        Raises:
            TurnedAwayError: there is no such ticket any more, or the cookie is missing.
        """
        what, until = self._tickets.get(ticket, ("", 0.0))
        if self._session(headers) is None or time.monotonic() >= until:
            raise TurnedAwayError(403, "this download is not offered any more: go back")
        return what

    def _session(self, headers: Headers) -> Admission | None:
        for each in headers.getlist("cookie"):
            if (found := self._sessions.get(cookie_parser(each).get(self.cookie, ""))) is not None:
                return found
        return None


def _equal(one: str, other: str) -> bool:
    return compare_digest(one.encode(errors="replace"), other.encode())
