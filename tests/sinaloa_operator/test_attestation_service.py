"""Tabasco as a cluster has it: several pods on one PostgreSQL, behind one name."""

import pytest
from kubernetes.client.exceptions import ApiException

from sinaloa_operator.names import API_VERSION, ATTESTATION_LABEL, TABASCO_PORT
from support.operated_cluster import NAMESPACE
from support.postgresql import AVAILABLE, MISSING, Server
from support.relay import relay
from support.stack import run
from support.tls_authority import TlsAuthority
from veracruz_shells.tls_files import ClientFiles
from veracruz_utils.address import Address

KIND = (API_VERSION, "Attestation")


@pytest.fixture(scope="module")
def database():
    if not AVAILABLE:
        pytest.skip(MISSING)
    server = Server()
    yield server.database("tabasco")
    server.close()


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return TlsAuthority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def operated(cluster, database, authority):
    state = cluster.stack.folder / "tabasco"
    words = ["--state", state, "--database", database]
    run("tabasco", "root", "add", *words, "--name", "tests", cluster.stack.root).done()
    cluster.secret("tabasco-state", {"result-key.pem": state / "result-key.pem"})
    pair = authority.issue("tabasco")
    cluster.secret("tabasco-tls", {"tls.crt": pair.certificate, "tls.key": pair.key})
    with cluster.operating() as operator:
        cluster.until(lambda: cluster.leads(operator))
        yield cluster


@pytest.fixture(scope="module")
def served(operated, database):
    """Three pods of Tabasco, ready."""
    spec = {
        "database": database, "stateSecret": "tabasco-state", "tlsSecret": "tabasco-tls",
        "replicas": 3,
    }  # fmt: skip
    metadata = {"name": "tabasco", "namespace": NAMESPACE}
    operated.create(
        {"apiVersion": API_VERSION, "kind": "Attestation", "metadata": metadata, "spec": spec}
    )
    operated.until(lambda: told(operated) == "3 of 3 replicas are ready", lambda: told(operated))
    return operated


def told(operated):
    found = operated.of(*KIND).get(name="tabasco", namespace=NAMESPACE).to_dict()
    return (found.get("status") or {}).get("message")


def pods(operated):
    selector = f"{ATTESTATION_LABEL}=tabasco"
    found = operated.core.list_namespaced_pod(NAMESPACE, label_selector=selector).items
    return [each for each in found if each.metadata.deletion_timestamp is None]


def ready(operated):
    return [
        each
        for each in pods(operated)
        if any(one.type == "Ready" and one.status == "True" for one in each.status.conditions or ())
    ]


def evict(operated, pod):
    name = pod.metadata.name
    operated.core.create_namespaced_pod_eviction(
        name, NAMESPACE, {"metadata": {"name": name, "namespace": NAMESPACE}}
    )


def test_who_enrolled_by_one_replica_is_known_to_all(served, authority):
    addresses = [Address(each.status.pod_ip, TABASCO_PORT) for each in ready(served)]
    assert len(addresses) == 3
    with relay("127.0.0.1", *addresses) as service:
        policy, parties = served.policy("author", "reader", tabasco=service)
        document = served.document("vouched-by-pods", policy)
        document["spec"]["tabascoCA"] = authority.file.read_text()
        served.create(document)
        served.until_attested("vouched-by-pods")
        tls = ClientFiles(authority.file)
        results = served.complete("vouched-by-pods-1", policy, parties, tls)
        assert len(set(results)) == 1
        served.until_phase("vouched-by-pods", "Finished")


def test_without_its_authorities_the_services_of_the_cluster_are_not_spoken_to(served):
    (first, *_) = ready(served)
    with relay("127.0.0.1", Address(first.status.pod_ip, TABASCO_PORT)) as service:
        policy, _ = served.policy(tabasco=service)
        served.create(served.document("in-plain-text", policy, drainSeconds=0))
        served.until(lambda: served.pods("in-plain-text"))
        served.until(lambda: "in-plain-text-1" in served.kubelet.started)
        run_of = served.kubelet.run_of("in-plain-text-1")
        served.until(lambda: "tabasco" in run_of.said("sonora"))
        assert served.status("in-plain-text")["phase"] == "Starting"
        served.delete("in-plain-text")
        served.until(lambda: served.gone("in-plain-text"))


def test_a_drain_takes_one_replica_at_a_time(served):
    one, other, _ = ready(served)
    evict(served, one)
    with pytest.raises(ApiException) as caught:
        evict(served, other)
    assert caught.value.status == 429
    assert "disruption budget" in caught.value.body
    served.until(lambda: len(ready(served)) == 3)
    assert one.metadata.name not in [each.metadata.name for each in ready(served)]


def test_more_or_fewer_replicas_are_had_by_changing_the_object(served):
    served.of(*KIND).patch(
        body={"spec": {"replicas": 1}}, name="tabasco", namespace=NAMESPACE,
        content_type="application/merge-patch+json",
    )  # fmt: skip
    served.until(lambda: told(served) == "1 of 1 replicas are ready", lambda: told(served))
    served.until(lambda: len(pods(served)) == 1)


def test_what_was_made_for_a_service_goes_with_it(served):
    served.of(*KIND).delete(name="tabasco", namespace=NAMESPACE)
    served.until(lambda: pods(served) == [])
    for version, kind in (
        ("apps/v1", "Deployment"), ("v1", "Service"), ("policy/v1", "PodDisruptionBudget"),
        ("networking.k8s.io/v1", "NetworkPolicy"),
    ):  # fmt: skip

        def left(version=version, kind=kind):
            found = served.of(version, kind).get(namespace=NAMESPACE).to_dict()["items"]
            return [each["metadata"]["name"] for each in found]

        served.until(lambda left=left: "tabasco" not in left(), left)
