"""What is done at the page: each is a form, and answers with the part that it changed."""

import io
from collections.abc import Awaitable, Callable
from typing import Final

from anyio.to_thread import run_sync
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartParser
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from colima.runtime import ContentKind
from durango.ui.choosing import HowToRead, Spot, most_bytes, parcel_of
from durango.ui.desk import Desk
from durango.ui.views import Views
from veracruz_shells.local_page.languages import language_of
from veracruz_utils.errors import VeracruzError

_MAX_FIELDS: Final = 8
_MAX_FIELD_BYTES: Final = 1024
_MAX_NAME_CHARS: Final = 200

Act = Callable[[FormData], Awaitable[None]]


class Actions:
    """The handlers of what is done."""

    def __init__(self, desk: Desk, views: Views) -> None:
        self._desk = desk
        self._views = views
        self._acts: dict[str, tuple[Act, str]] = {
            "choose": (self._choose, "part"),
            "put-away": (self._put_away, "part"),
            "send": (self._send, "part"),
            "withdraw": (self._withdraw, "part"),
            "consent": (self._consent, "part"),
            "revoke": (self._revoke, "part"),
            "fetch": (self._fetch, "result"),
            "next-round": (self._next_round, "result"),
            "shutdown": (self._shutdown, "result"),
        }

    async def do(self, request: Request) -> Response:
        """Do what a form asks for; what went wrong is said in the part that comes back."""
        if request.path_params["name"] not in self._acts:
            raise HTTPException(404, "nothing is done by that name")
        act, part = self._acts[request.path_params["name"]]
        form = await self._form(request)
        self._desk.troubles.pop(part, None)
        try:
            await act(form)
        except VeracruzError as error:
            self._desk.troubles[part] = str(error)
        finally:
            await form.close()
        return HTMLResponse(await self._views.part(part, language_of(request.headers)))

    async def _form(self, request: Request) -> FormData:
        if not request.headers.get("content-type", "").startswith("multipart/form-data"):
            return await request.form(max_files=0, max_fields=_MAX_FIELDS)
        most = most_bytes(self._desk.seat.policy)
        return await _InMemory(most, request).parse()

    async def _choose(self, form: FormData) -> None:
        spot = _place(form)
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise HTTPException(400, "a file is to be chosen")
        how = HowToRead(
            _word(form, "delimiter", "comma"),
            "decimal_comma" in form,
            _word(form, "encoding", "utf-8"),
        )
        name = (file.filename or "file")[:_MAX_NAME_CHARS]
        content = io.BytesIO(await file.read())
        # In a thread: it may be large, and the page is to go on meanwhile.
        parcel = await run_sync(
            lambda: parcel_of(self._desk.seat, spot, content, name=name, how=how)
        )
        self._desk.choose(parcel)

    async def _put_away(self, form: FormData) -> None:
        self._desk.put_away(*_place(form))

    async def _send(self, form: FormData) -> None:
        self._desk.send(*_place(form), replace="replace" in form)

    async def _withdraw(self, form: FormData) -> None:
        await self._desk.withdraw(*_place(form))

    async def _consent(self, _: FormData) -> None:
        await self._desk.consent()

    async def _revoke(self, _: FormData) -> None:
        await self._desk.revoke()

    async def _fetch(self, form: FormData) -> None:
        self._desk.fetch(retry="retry" in form)

    async def _next_round(self, _: FormData) -> None:
        await self._desk.next_round()

    async def _shutdown(self, _: FormData) -> None:
        await self._desk.shutdown()


class _InMemory(MultiPartParser):
    """Reads forms, and never writes what was chosen to a disk: it may be a secret."""

    def __init__(self, most: int, request: Request) -> None:
        super().__init__(
            request.headers,
            request.stream(),
            max_files=1,
            max_fields=_MAX_FIELDS,
            max_part_size=_MAX_FIELD_BYTES,
        )
        # More than the body may have, which the guard has seen to.
        self.spool_max_size = 2 * most + (1 << 20)


def _place(form: FormData) -> Spot:
    kind, package = _word(form, "kind", ""), _word(form, "package", "0")
    if kind not in ContentKind.__members__ or not package.isdecimal() or len(package) > 9:
        raise HTTPException(400, "a place is a kind and a number")
    return ContentKind[kind], int(package)


def _word(form: FormData, name: str, otherwise: str) -> str:
    found = form.get(name, otherwise)
    return found if isinstance(found, str) else otherwise
