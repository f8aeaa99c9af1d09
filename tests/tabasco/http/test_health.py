"""Health of a whole service: alive is not ready, and ready needs a database and a key."""

import re

import httpx
import pytest

from colima.tabasco import SERVICE
from support.patience import PATIENCE_S
from support.processes import eventually
from tabasco.http import Context, HttpService, create_app, description
from tabasco.registry.administrators import AdministratorRole, Administrators
from veracruz import Service
from veracruz_shells.channels import is_serving, open_channel
from veracruz_utils.address import Address


@pytest.fixture
def serve(tmp_path):
    """Starts `tabasco serve` on a database: the service, and a client of its HTTP."""

    def start(url):
        arguments = ["serve", "--state", tmp_path, "--database", url]
        listening = ["--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"]
        return Service("tabasco", [*map(str, arguments), *listening])

    return start


def client_of(service):
    url = re.search(r"HTTP on (\S+)", service.last_words)[1]
    return httpx.Client(base_url=url, timeout=PATIENCE_S, trust_env=False)


def test_without_its_database_a_service_lives_and_is_not_ready(serve, postgresql):
    with serve(postgresql.database("health")) as service:
        address = service.wait_ready()
        with client_of(service) as client, open_channel(address) as channel:
            for path in ("/livez", "/readyz", "/healthz"):
                assert client.get(path).status_code == 200
            assert is_serving(channel, service=SERVICE)
            postgresql.stop()
            try:
                assert eventually(lambda: client.get("/readyz").status_code == 503)
                missing = client.get("/healthz")
                assert missing.status_code == 503
                assert missing.json() == {
                    "error": "not-ready", "message": "the database does not answer",
                }  # fmt: skip
                assert client.get("/livez").json() == {"status": "alive"}
                assert not is_serving(channel, service=SERVICE, timeout_s=PATIENCE_S)
            finally:
                postgresql.start()
            assert eventually(lambda: client.get("/readyz").status_code == 200)
            assert is_serving(channel, service=SERVICE, timeout_s=PATIENCE_S)


def test_without_its_key_a_service_is_not_ready(serve, tmp_path):
    with serve(f"sqlite:///{tmp_path}/t.db") as service:
        service.wait_ready()
        with client_of(service) as client:
            key = tmp_path / "result-key.pem"
            key.rename(tmp_path / "away")
            refused = client.get("/readyz")
            assert (refused.status_code, refused.json()["error"]) == (503, "not-ready")
            assert str(tmp_path) not in refused.text
            (tmp_path / "away").rename(key)
            assert client.get("/readyz").status_code == 200


def test_a_database_that_never_answers_is_not_waited_for(serve, postgresql):
    with serve(postgresql.database("hung")) as service:
        address = service.wait_ready()
        with client_of(service) as client, open_channel(address) as channel:
            assert client.get("/readyz").status_code == 200
            with postgresql.hung():
                assert eventually(lambda: client.get("/readyz").status_code == 503)
                assert not is_serving(channel, timeout_s=PATIENCE_S)
                assert client.get("/livez").status_code == 200
            assert eventually(lambda: client.get("/readyz").status_code == 200)


def test_head_is_answered_on_every_route_as_get_is(service, database, clock):
    app = create_app(Context(service, database, Administrators(database), clock))
    token = Administrators(database).add("a", AdministratorRole.READER, at=clock())
    headers = {"Authorization": f"Bearer {token.reveal().decode()}"}
    with (
        HttpService(app, Address.parse("127.0.0.1:0")) as server,
        httpx.Client(base_url=server.url, headers=headers, trust_env=False) as client,
    ):
        paths = [path for path, methods in description()["paths"].items() if "get" in methods]
        for path in [*paths, "/openapi.json"]:
            found = path.replace("{number}", "1")
            got, head = client.get(found), client.head(found)
            assert (head.status_code, head.content) == (got.status_code, b""), path
            assert head.headers["content-type"] == got.headers["content-type"]
            assert client.head(found).status_code == got.status_code, "the connection goes on"
        assert client.head("/v1/enrolments").status_code == 405
        assert httpx.head(f"{server.url}/v1/instances", trust_env=False).status_code == 401
