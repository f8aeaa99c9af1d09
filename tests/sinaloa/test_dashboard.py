"""The delegate's page: what it shows of a bridge, to how many, and how often it looks."""

import asyncio
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import httpx
import pytest

import sinaloa.dashboard.app as dashboard_app
from sinaloa import Bridge, metrics
from sinaloa.computation import ServedPolicy
from sinaloa.computations import Computations
from sinaloa.dashboard.app import make_app
from sinaloa.dashboard.counting import SHOWN, Totals
from sinaloa.dashboard.standing import MOST_NUMBERS, MOST_ROWS
from sinaloa.dashboard.texts import LABELS
from support.patience import PATIENCE_S
from support.processes import eventually
from veracruz_shells.event_loop import event_loop
from veracruz_shells.local_page.door import KEY_HEADER, MAX_SESSIONS, Door
from veracruz_shells.local_page.serving import authority_of, listen, page_server
from veracruz_shells.metrics import OTHER, also_recorded_into
from veracruz_utils.digest import Digest


class Viewer:
    """A browser that was let in."""

    def __init__(self, door: Door) -> None:
        self.door = door
        origin = {"Origin": door.origin}
        answer = httpx.post(f"{door.origin}/enter", content=door.word, headers=origin)
        self.headers = {
            **origin,
            KEY_HEADER: answer.text,
            "Cookie": answer.headers["set-cookie"].split(";")[0],
        }

    def ask(self, language: str = "en") -> httpx.Response:
        headers = self.headers | {"Accept-Language": language}
        return httpx.get(f"{self.door.origin}/view/bridge", headers=headers, timeout=PATIENCE_S)

    def view(self, language: str = "en") -> str:
        answer = self.ask(language)
        assert answer.status_code == 200
        return re.sub(r"\s+", " ", answer.text)


@contextmanager
def page_of(bridge: Bridge, *, totals: Totals | None = None, looks: list | None = None):
    """The door of this bridge's page; each look at the bridge is added to `looks`."""
    counted = totals or Totals()

    async def standing():
        return bridge.standing(counted.now())

    async def look():
        if looks is not None:
            looks.append(threading.current_thread().name)
        asked = asyncio.run_coroutine_threadsafe(standing(), event_loop())
        return await asyncio.wrap_future(asked)

    with closing(listen(0, option="--dashboard")) as listening:
        door = Door(authority_of(listening))
        server = page_server(make_app(look, door))
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            yield door
        finally:
            server.should_exit = True
            thread.join(PATIENCE_S)


def serving_many(count: int) -> Bridge:
    computations = Computations()
    for number in range(count):
        policy = Digest.of(number.to_bytes(4, "big"))
        computations.add(ServedPolicy(policy, None, max_sessions=1))
    return Bridge(computations)


@pytest.fixture
def always_fresh(monkeypatch):
    monkeypatch.setattr(dashboard_app, "_FRESH_S", 0.0)


@pytest.mark.parametrize(
    ("beside", "english", "german"),
    [
        (0, "", ""),
        (1, "1 more policy is served.", "1 weitere Policy wird bedient."),
        (2164, "2164 more policies are served.", "2164 weitere Policies werden bedient."),
    ],
)
def test_only_so_many_policies_have_a_row_and_the_others_are_counted(beside, english, german):
    with serving_many(MOST_ROWS + beside) as bridge, page_of(bridge) as door:
        viewer = Viewer(door)
        for text, said in ((viewer.view(), english), (viewer.view("de"), german)):
            assert text.count('<th scope="row">') == MOST_ROWS
            assert said in text
            assert ("more polic" in text or "weitere Polic" in text) == bool(beside)


def test_all_who_look_within_a_second_share_one_look(monkeypatch):
    assert dashboard_app._FRESH_S == 1.0
    monkeypatch.setattr(dashboard_app, "_FRESH_S", PATIENCE_S)
    looks: list[str] = []
    with serving_many(1) as bridge, page_of(bridge, looks=looks) as door:
        viewers = [Viewer(door) for _ in range(MAX_SESSIONS)]
        with ThreadPoolExecutor(len(viewers)) as together:
            shown = [*together.map(Viewer.view, viewers * 4)]
        assert len(set(shown)) == 1
        assert len(looks) == 1
        monkeypatch.setattr(dashboard_app, "_FRESH_S", 0.0)
        viewers[0].view()
        assert len(looks) == 2


@pytest.mark.usefixtures("always_fresh")
def test_a_bridge_that_is_being_drained_says_so_in_both_languages(serve):
    with serve() as rig, page_of(rig.bridge) as door:
        viewer = Viewer(door)
        assert "takes no new sessions" not in viewer.view()
        rig.bridge.drain(0)
        assert "The bridge takes no new sessions" in viewer.view()
        assert "Die Brücke nimmt keine neuen Sitzungen an" in viewer.view("de")


def test_a_ninth_viewer_is_let_in_for_the_first_one_who_is_put_out():
    with serving_many(1) as bridge, page_of(bridge) as door:
        viewers = [Viewer(door) for _ in range(MAX_SESSIONS + 1)]
        assert len(viewers) == 9
        answers = [each.ask().status_code for each in viewers]
        assert answers == [403] + [200] * MAX_SESSIONS


@pytest.mark.usefixtures("always_fresh")
def test_each_isolate_has_its_age_its_sessions_as_the_log_names_them_and_its_quotas(serve, caplog):
    caplog.set_level("INFO")
    with serve(max_sessions=MOST_NUMBERS + 2) as rig, page_of(rig.bridge) as door:
        viewer = Viewer(door)
        assert "&lt; 1 min" in viewer.view()
        rig.isolate.had_since -= 2 * 3600
        assert "2 h 0 min" in viewer.view()
        silences = [_Silence() for _ in range(MOST_NUMBERS + 1)]
        calls = [rig.session(each) for each in silences]
        assert eventually(lambda: len(rig.places.sessions()) == MOST_NUMBERS + 1)
        assert eventually(lambda: caplog.text.count("session opened") == MOST_NUMBERS + 1)
        told = sorted(
            each._fields["session"] for each in caplog.records if each.message == "session opened"
        )
        text = viewer.view()
        assert f"{MOST_NUMBERS + 1} / {MOST_NUMBERS + 2}" in text
        assert f"<td>{', '.join(map(str, told[:MOST_NUMBERS]))} …</td>" in text
        rig.bridge._computations.only.quota.take("ip:10.0.0.1", sites=0, now=time.monotonic())
        assert "1 / 600" in viewer.view()
        assert "0 / 64" in viewer.view()
        assert "10.0.0.1" not in viewer.view()
        for call, silence in zip(calls, silences, strict=True):
            silence.over.set()
            call.cancel()


class _Silence:
    """A principal that says nothing."""

    def __init__(self) -> None:
        self.over = threading.Event()

    def __iter__(self):
        return self

    def __next__(self) -> bytes:
        self.over.wait(PATIENCE_S)
        raise StopIteration


def test_what_is_refused_is_counted_by_its_reason_and_reasons_are_a_closed_set():
    totals = Totals()
    with also_recorded_into(totals.take):
        for _ in range(2164):
            metrics.HANDSHAKES_REFUSED.add(reason="gave-way")
        metrics.HANDSHAKES_REFUSED.add(reason="planted by a stranger")
        metrics.ATTESTATIONS.add(outcome="answered")
        metrics.SESSION_SECONDS.add(3.0)
    assert totals.now() == {
        "attestations": {"answered": 1},
        "handshakes refused": {"gave-way": 2164, OTHER: 1},
    }
    with serving_many(1) as bridge, page_of(bridge, totals=totals) as door:
        viewer = Viewer(door)
        english, german = viewer.view(), viewer.view("de")
        assert "<dt>handshakes refused</dt> <dd>2,165<br>" in english
        assert "gave way to another: 2,164" in english
        assert "<dt>abgelehnte Handshakes</dt> <dd>2.165<br>" in german
        assert "wich einer anderen: 2.164" in german
        assert "planted" not in english


def test_every_label_that_is_shown_has_words():
    labels = {label for metric, _ in SHOWN for each in metric.labels.values() for label in each}
    assert labels | {OTHER} == set(LABELS)
    assert all(len(metric.labels) == 1 for metric, _ in SHOWN)
