"""The delegate's page beside a real bridge: what it shows, to whom, and that nobody is named."""

import re
import socket
from contextlib import ExitStack

import httpx
import pytest

from support.patience import PATIENCE_S
from support.processes import eventually
from support.runtime_guests import HELLO
from support.stack import PI, RESULT, Stack, new_party, run
from veracruz_shells.local_page.door import KEY_HEADER
from veracruz_shells.local_page.serving import MOST_CONNECTIONS

NAME = "Planted-Person-7c1d"


@pytest.fixture(scope="module")
def shown_stack(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SINALOA_SERVE_DASHBOARD", "0")
        stack = Stack(tmp_path_factory.mktemp("veracruz"))
        yield stack
        stack.close()


@pytest.fixture
def computation(shown_stack):
    parties = [new_party(NAME), new_party("reader")]
    with shown_stack.computation([PI], [RESULT], program=HELLO, parties=parties) as found:
        yield found


class Viewer:
    """A browser that was let in by the link on the terminal."""

    def __init__(self, computation) -> None:
        found = re.findall(
            r"dashboard on (http://127\.0\.0\.1:\d+)/#(\S+)", computation.sinaloa.last_words
        )
        self.origin, self.word = found[-1]
        self.client = httpx.Client(base_url=self.origin, timeout=PATIENCE_S)
        self.headers = {"Origin": self.origin}
        answer = self.client.post("/enter", content=self.word, headers=self.headers)
        assert answer.status_code == 200
        self.headers[KEY_HEADER] = answer.text

    def view(self, **parameters):
        return self.client.get("/view/bridge", params=parameters, headers=self.headers)

    def shows(self, *words: str) -> bool:
        text = self.view().text
        return all(word in text for word in words)


@pytest.fixture
def viewer(computation):
    found = Viewer(computation)
    yield found
    found.client.close()


def test_it_shows_what_the_bridge_does_and_names_nobody(computation, viewer):
    digest = str(computation.policy.digest)
    first = viewer.view().text
    assert digest in first
    assert "linux-software-root" in first
    assert "running" in first
    computation.send_program()
    with computation.caller(0) as caller:
        caller.ask_state()
        cell = '<td class="number">'
        assert eventually(lambda: viewer.shows(f"{cell}1</td>", f"{cell}1 / "))
    stranger = new_party("stranger")
    with pytest.raises(Exception, match="not in the policy"), computation.caller(stranger) as other:
        other.ask_state()
    assert eventually(lambda: viewer.shows("handshakes refused", "sessions ended"))
    text = viewer.view(language="de").text
    assert NAME not in text
    assert "127.0.0.1" not in text


def test_what_has_not_changed_is_not_sent_again(viewer):
    version = re.search(r"seen=([0-9a-f]+)", viewer.view().text)[1]
    assert eventually(lambda: viewer.view(seen=version).status_code in {200, 204})
    assert viewer.view(seen="other").status_code == 200


def test_who_was_not_let_in_sees_nothing(viewer):
    assert httpx.get(f"{viewer.origin}/view/bridge").status_code == 403
    again = httpx.post(
        f"{viewer.origin}/enter", content=viewer.word, headers={"Origin": viewer.origin}
    )
    assert again.status_code == 403
    assert viewer.client.get("/view/bridge").status_code == 403  # the cookie alone
    elsewhere = viewer.headers | {"Host": "bridge.example"}
    assert viewer.client.get("/view/bridge", headers=elsewhere).status_code == 421
    other_site = viewer.headers | {"Origin": "http://other.example"}
    assert viewer.client.get("/view/bridge", headers=other_site).status_code == 403


def test_it_speaks_both_languages_and_loads_nothing_from_elsewhere(viewer):
    english = viewer.client.get("/", headers={"Accept-Language": "en"})
    german = viewer.client.get("/", headers={"Accept-Language": "de"})
    assert "The bridge" in english.text
    assert "Die Brücke" in german.text
    spoken = viewer.client.get(
        "/view/bridge", headers=viewer.headers | {"Accept-Language": "de"}
    ).text
    assert "Seit dem Start" in spoken
    assert "läuft" in spoken
    assert "default-src 'none'" in english.headers["Content-Security-Policy"]
    assert re.findall(r'(?:src|href)="https?:', english.text + spoken) == []


def test_connections_that_say_nothing_make_room(viewer):
    """As many as it takes, for as long as a request may take to come; then it serves again."""
    viewer.client.close()
    host, port = viewer.origin.removeprefix("http://").split(":")
    with ExitStack() as idle:
        for _ in range(MOST_CONNECTIONS + 6):
            idle.enter_context(socket.create_connection((host, int(port)), PATIENCE_S))

        def served() -> bool:
            with httpx.Client(base_url=viewer.origin, timeout=PATIENCE_S) as client:
                return client.get("/").status_code == 200

        assert eventually(served)


def test_the_bridge_serves_on_whoever_looks(viewer, shown_stack):
    assert all(viewer.view().status_code == 200 for _ in range(50))
    shown_stack.serve_somebody()


def test_a_port_that_is_taken_is_told_with_the_remedy(computation):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told = run(
            "sinaloa", "serve", computation.policy_file, "--sonora", computation.sonora.address,
            "--listen", "127.0.0.1:0", "--dashboard", port,
        )  # fmt: skip
    told.refused(1, f"cannot listen on 127.0.0.1:{port}: it is taken, give another --dashboard")
