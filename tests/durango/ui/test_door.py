"""Who is let in, and what every answer carries: other sites and other users get nothing."""

import re
from pathlib import Path

import pytest

import durango.ui
from support.ui_browser import page_of
from veracruz_shells.local_page.door import KEY_HEADER, MAX_SESSIONS, Door, TurnedAwayError
from veracruz_shells.local_page.guard import MAX_BODY_BYTES

PAGE = Path(durango.ui.__file__).parent


def test_the_link_lets_one_browser_in_once(browser):
    used = browser.door.link
    told = []
    door = Door("127.0.0.1:1", on_link=told.append)
    word = door.word
    assert door.enter(word).key
    assert told == [door.link]
    with pytest.raises(TurnedAwayError, match="used before"):
        door.enter(word)
    assert used == browser.door.link


def test_a_wrong_word_is_refused_and_makes_no_session(browser):
    browser.client.cookies.clear()
    answer = browser.client.post("/enter", content="guess", headers=browser.ours)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_the_cookie_is_out_of_reach_for_scripts_and_other_sites(browser):
    answer = browser.client.post("/enter", content=browser.door.word, headers=browser.ours)
    said = answer.headers["set-cookie"].lower()
    assert said.startswith(browser.door.cookie)
    assert "httponly" in said
    assert "samesite=strict" in said
    assert answer.text not in said


def test_two_pages_in_one_browser_leave_each_other_their_sessions(rig, browser):
    with page_of(rig, "carol") as other:
        other.client.cookies = browser.client.cookies
        other.enter()
        assert "client 1<" in browser.view("overview")
        assert "client 2<" in other.view("overview")


@pytest.mark.parametrize("half", ["cookie", "key"])
def test_half_a_session_opens_nothing(browser, half):
    headers = browser.ours
    if half == "cookie":
        headers[KEY_HEADER] = "x" * 43
    else:
        browser.client.cookies.clear()
    for path in ("/view/overview", "/view/live/places"):
        answer = browser.client.get(path, headers=headers)
        assert answer.status_code == 403
        assert "policy" not in answer.text
    assert browser.client.post("/do/fetch", headers=headers).status_code == 403


def test_the_key_of_another_session_is_not_this_ones(browser):
    mine = browser.key
    browser.client.post("/enter", content=browser.door.word, headers=browser.ours)
    answer = browser.client.get("/view/meaning", headers=browser.ours | {KEY_HEADER: mine})
    assert answer.status_code == 403


def test_only_so_many_sessions_are_kept_and_the_oldest_goes():
    door = Door("127.0.0.1:1")
    first = door.enter(door.word)
    for _ in range(MAX_SESSIONS):
        door.enter(door.word)
    assert first.cookie not in door._sessions
    assert len(door._sessions) == MAX_SESSIONS


@pytest.mark.parametrize(
    "host", ["evil.example:{}", "localhost:{}", "127.0.0.1", "127.0.0.1:1", "127.0.0.1:{}.", ""]
)
def test_another_name_for_this_host_is_refused_as_a_rebound_one_would_have_it(browser, host):
    host = host.format(browser.door.authority.partition(":")[2])
    for path in ("/", "/view/overview", "/static/page.css"):
        answer = browser.client.get(path, headers=browser.ours | {"Host": host})
        assert answer.status_code == 421


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:9999", None])
def test_what_another_site_posts_is_refused(browser, rig, origin):
    headers = {KEY_HEADER: browser.key} | ({} if origin is None else {"Origin": origin})
    answer = browser.client.post("/do/consent", headers=headers)
    assert answer.status_code == 403
    assert rig.isolate.seen == [] or "Consent" not in {type(x).__name__ for x in rig.isolate.seen}


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_site_can_open_the_page_and_load_nothing_of_it(browser, site):
    loads = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors"}
    assert browser.client.get("/static/htmx.min.js", headers=loads).status_code == 403
    opens = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate"}
    answer = browser.client.get("/", headers=opens)
    assert answer.status_code == 200
    assert "bob" not in answer.text


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "HEAD", "TRACE"])
def test_other_methods_are_refused(browser, method):
    answer = browser.client.request(method, "/view/overview", headers=browser.ours)
    assert answer.status_code == 405


def test_every_answer_forbids_scripts_frames_and_addresses_of_others(browser):
    for path in ("/", "/view/overview", "/static/page.css", "/nothing", "/view/nothing"):
        headers = browser.client.get(path, headers=browser.ours).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"


def test_the_turned_away_get_the_same_headers(browser):
    answer = browser.client.get("/view/overview")
    assert answer.status_code == 403
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_no_template_has_a_script_or_a_style_in_it():
    found = [*PAGE.joinpath("templates").rglob("*.html")]
    assert found
    for path in found:
        text = path.read_text()
        assert not re.search(r"<script(?![^>]*\bsrc=)", text), path
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:|hx-on|hx-vals=.js:", text)


def test_a_body_is_bounded_whether_it_says_so_or_not(browser):
    large = b"x" * (MAX_BODY_BYTES + 1)
    answer = browser.client.post("/do/send", content=large, headers=browser.ours)
    assert answer.status_code == 413
    form = browser.ours | {"Content-Type": "application/x-www-form-urlencoded"}
    answer = browser.client.post("/do/send", content=iter([large]), headers=form)
    assert answer.status_code == 413


def test_a_download_takes_its_ticket_and_the_cookie(browser):
    ticket = browser.door.ticket("explanation")
    assert ticket == browser.door.ticket("explanation")
    answer = browser.client.get(f"/file/{ticket}")
    assert answer.status_code == 200
    assert "attachment" in answer.headers["content-disposition"]
    assert "What this policy means" in answer.text
    assert browser.client.get("/file/guess").status_code == 403
    browser.client.cookies.clear()
    assert browser.client.get(f"/file/{ticket}").status_code == 403
