"""What an isolate counts on: no import later, no key log, no leftovers."""

import gc
import subprocess
import sys
import weakref
from pathlib import Path

from support.patience import PATIENCE_S
from support.tls_pair import NOW, config, connected, identity, server_context

TESTS = Path(__file__).parents[1]


def run(program: str, **environment: str) -> str:
    """What `program` prints in an interpreter of its own."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(TESTS), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert done.stderr == ""
    return done.stdout


EVERY_CODE_PATH = """
import sys
from contextlib import suppress
from support import tls_pair as t
from baja import PeerError

def use_everything():
    for suite in t.SUITES:
        left, right = t.connected(suite)
        left.send(b"x" * 100_000)
        t.carry(left, right)
        left.close()
        t.carry(left, right)
        for who in (t.identity("mallory"), t.ca_identity(), t.child_of(t.ca_identity(), "ca")):
            with suppress(PeerError):
                server = t.server_context(suite=suite).endpoint(now=t.NOW)
                t.handshake(t.client(who, suite), server)
        with suppress(PeerError):
            t.connected(suite)[1].receive_data(b"garbage" * 10)
"""


def test_no_module_is_imported_after_baja_itself():
    """Inside an isolate the import system is locked before the first session."""
    program = (
        EVERY_CODE_PATH
        + """
t.rsa_identity()
before = set(sys.modules)
class Locked:
    def find_spec(self, name, path=None, target=None):
        raise SystemExit(f"late import of {name}")
sys.meta_path.insert(0, Locked())
use_everything()
print(sorted(set(sys.modules) - before))
"""
    )
    assert run(program) == "[]\n"


def test_the_first_certificate_and_key_need_no_late_import():
    program = """
import sys, baja
from datetime import UTC, datetime
start, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
before = set(sys.modules)
baja.make_certificate(name="isolate", not_before=start, not_after=end)
print(sorted(set(sys.modules) - before))
"""
    assert run(program) == "[]\n"


def test_no_environment_makes_it_log_keys(tmp_path):
    log = tmp_path / "keys"
    run(EVERY_CODE_PATH + "use_everything()", SSLKEYLOGFILE=str(log))
    assert not log.exists()


def test_a_session_let_go_of_is_freed_at_once():
    """Hundreds of sessions come and go; none may wait for the cycle collector."""
    gc.disable()
    try:
        left, right = connected()
        watched = [weakref.ref(left._tls), weakref.ref(right._tls)]
        del left, right
        assert [reference() for reference in watched] == [None, None]
    finally:
        gc.enable()


def test_a_context_is_built_once_for_all_sessions():
    context = server_context(identity("alice").certificate)
    first, second = context.endpoint(now=NOW), context.endpoint(now=NOW)
    assert first._tls.get_context() is second._tls.get_context()


def test_keys_show_in_no_repr():
    assert "rivate" not in repr(config(identity("alice")))
    assert "rivate" not in repr(server_context(identity("alice").certificate))
