"""The page of a rig's principal, asked as a browser asks that was let in."""

import threading
from contextlib import closing, contextmanager

import httpx

from durango.ui.seat import Seat
from durango.ui.serving import server_of
from support.patience import PATIENCE_S
from support.processes import eventually
from veracruz_shells.local_page.door import KEY_HEADER, Door
from veracruz_shells.local_page.serving import authority_of, listen


class Browser:
    """What a browser does that was opened by the link."""

    def __init__(self, client: httpx.Client, door: Door) -> None:
        self.client = client
        self.door = door
        self.key = ""

    def enter(self) -> "Browser":
        answer = self.client.post("/enter", content=self.door.word, headers=self.ours)
        assert answer.status_code == 200
        self.key = answer.text
        return self

    @property
    def ours(self) -> dict[str, str]:
        return {"Origin": self.door.origin, KEY_HEADER: self.key}

    def view(self, name: str, **headers: str) -> str:
        answer = self.client.get(f"/view/{name}", headers=self.ours | headers)
        assert answer.status_code == 200, answer.text
        return answer.text

    def do(self, name: str, files=None, **form) -> str:
        answer = self.client.post(f"/do/{name}", data=form, files=files, headers=self.ours)
        assert answer.status_code == 200, answer.text
        return answer.text

    def wait_for(self, words: str, name: str, **headers: str) -> str:
        """The view, once it says this."""
        found = [""]

        def said() -> bool:
            found[0] = self.view(name, **headers)
            return words in found[0]

        assert eventually(said), found[0]
        return found[0]


@contextmanager
def page_of(rig, who: str = "bob", **changes):
    """A browser at the page of this principal of the rig, not let in yet."""
    seat = Seat(rig.isolate.policy, getattr(rig, who), timeout_s=PATIENCE_S, **changes)
    with closing(listen(0, option="--port")) as listening:
        door = Door(authority_of(listening))
        server = server_of(seat, door)
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            with httpx.Client(base_url=door.origin, timeout=PATIENCE_S) as client:
                yield Browser(client, door)
        finally:
            server.should_exit = True
            thread.join(PATIENCE_S)
