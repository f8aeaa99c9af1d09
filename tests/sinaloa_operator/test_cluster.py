"""The operator against a real API server, with real isolates; the kubelet alone is played."""

import signal

import pytest
import yaml
from kubernetes.client.exceptions import ApiException

from durango import attest
from support.operated_cluster import MANIFESTS, NAMESPACE


@pytest.fixture(scope="module")
def operated(cluster):
    with cluster.operating() as operator:
        cluster.until(lambda: cluster.leads(operator))
        yield cluster


def test_a_computation_is_placed_attested_used_and_finished(operated):
    policy, parties = operated.policy("author", "reader")
    operated.create(operated.document("usual", policy))
    operated.until_attested("usual")
    status = operated.status("usual")
    assert status["policyDigest"] == policy.digest.value.hex()
    assert status["principals"] == [each.label for each in policy.identities]
    assert operated.condition("usual", "PrincipalsMissing")["status"] == "Unknown"
    service = operated.core.read_namespaced_service("usual", NAMESPACE)
    (pod,) = operated.pods("usual")
    assert service.spec.selector.items() <= pod.metadata.labels.items()
    assert len(set(operated.complete(pod.metadata.name, policy, parties))) == 1
    status = operated.until_phase("usual", "Finished")
    assert status["reason"] == "ByPolicy"
    assert operated.condition("usual", "Failed")["status"] == "False"
    operated.until(lambda: operated.pods("usual") == [])
    assert {"Starting", "Serving", "ByPolicy"} <= set(operated.reasons("usual"))


def test_a_plain_node_is_refused_unless_the_policy_accepts_it(operated):
    policy, _ = operated.policy(platform="sev-snp")
    operated.create(operated.document("plain", policy))
    status = operated.until_phase("plain", "Refused")
    assert status["reason"] == "PlatformNotAccepted"
    assert "the policy accepts sev-snp" in status["message"]
    assert operated.condition("plain", "Accepted")["status"] == "False"
    assert operated.pods("plain") == []
    assert "PlatformNotAccepted" in operated.reasons("plain")


def test_what_is_no_policy_is_refused_by_name(operated):
    policy, _ = operated.policy()
    document = operated.document("broken", policy)
    document["spec"]["policy"] = document["spec"]["policy"].rstrip()[:-1]
    operated.create(document)
    assert operated.until_phase("broken", "Refused")["reason"] == "PolicyRefused"


@pytest.mark.parametrize("change", [{"policy": "{}"}, {"attempts": 9}, {"platform": "tdx"}])
def test_a_computation_that_exists_cannot_be_changed(operated, change):
    policy, _ = operated.policy(platform="sev-snp")
    name = f"fixed-{next(iter(change)).lower()}"
    operated.create(operated.document(name, policy))
    with pytest.raises(ApiException) as caught:
        operated.computations.patch(
            body={"spec": change}, name=name, namespace=NAMESPACE,
            content_type="application/merge-patch+json",
        )  # fmt: skip
    assert caught.value.status == 422
    assert "a computation cannot be changed" in caught.value.body
    stored = operated.computations.get(name=name, namespace=NAMESPACE).to_dict()
    assert stored["spec"]["policy"] == policy.raw.decode()


@pytest.mark.parametrize("wrong", [{"platform": "moon"}, {"attempts": 0}, {"resources": 1}])
def test_the_schema_refuses_what_it_does_not_know(operated, wrong):
    policy, _ = operated.policy()
    with pytest.raises(ApiException) as caught:
        operated.create(operated.document("schema", policy, **wrong))
    assert caught.value.status == 422


def test_a_failure_is_told_by_name_and_the_next_attempt_has_nothing_of_the_first(operated):
    policy, _ = operated.policy()
    operated.create(operated.document("failing", policy, attempts=2))
    operated.until_attested("failing")
    first = attest(policy, sinaloa=operated.address_of("failing-1")).certificate_digest
    operated.kubelet.run_of("failing-1").sidecar.send_signal(signal.SIGKILL)
    operated.until(lambda: operated.status("failing").get("attempt") == 2)
    operated.until_attested("failing")
    second = attest(policy, sinaloa=operated.address_of("failing-2")).certificate_digest
    assert first != second
    assert "Retrying" in operated.reasons("failing")
    operated.until(lambda: [pod.metadata.name for pod in operated.pods("failing")] == ["failing-2"])
    operated.kubelet.run_of("failing-2").sidecar.send_signal(signal.SIGKILL)
    status = operated.until_phase("failing", "Failed")
    assert status["reason"] == "BridgeFailed"
    assert "sonora went away" in status["message"]
    assert operated.condition("failing", "Failed")["status"] == "True"


def test_a_pod_that_is_gone_is_never_made_again_under_its_number(operated):
    policy, _ = operated.policy()
    operated.create(operated.document("drained", policy, attempts=2, drainSeconds=0))
    operated.until_attested("drained")
    operated.core.delete_namespaced_pod("drained-1", NAMESPACE)
    operated.until(lambda: operated.status("drained").get("attempt") == 2)
    operated.until_attested("drained")
    assert operated.kubelet.started.count("drained-1") == 1
    operated.delete("drained")
    operated.until(lambda: operated.gone("drained"))


def test_time_to_live_ends_isolates(operated):
    policy, _ = operated.policy()
    operated.create(operated.document("brief", policy, timeToLiveSeconds=1))
    assert operated.until_phase("brief", "Finished")["reason"] == "TimeToLiveOver"
    operated.until(lambda: operated.pods("brief") == [])


def test_deletion_waits_until_isolates_have_ended(operated):
    policy, _ = operated.policy()
    operated.create(operated.document("deleted", policy, drainSeconds=0))
    operated.until_attested("deleted")
    run = operated.kubelet.run_of("deleted-1")
    operated.delete("deleted")
    operated.until(lambda: operated.gone("deleted"))
    assert run.main.poll() is not None
    assert run.sidecar.poll() is not None


def test_what_was_made_for_a_computation_goes_with_it(operated):
    policy, _ = operated.policy()
    operated.create(operated.document("swept", policy, drainSeconds=0))
    operated.until_attested("swept")
    operated.delete("swept")
    kinds = (("v1", "ConfigMap"), ("v1", "Service"), ("networking.k8s.io/v1", "NetworkPolicy"))

    def left():
        found = [
            each["metadata"]
            for version, kind in kinds
            for each in operated.of(version, kind).get(namespace=NAMESPACE).to_dict()["items"]
        ]
        return [each["name"] for each in found if each["name"].startswith("swept")]

    assert set(left()) == {"swept", "swept-policy"}
    operated.until(lambda: not left(), left)


def test_a_quota_of_the_cluster_refuses_what_is_too_much(operated):
    namespace = "counted"
    operated.core.create_namespace({"metadata": {"name": namespace}})
    hard = {"count/computations.compute.veracruz": "1"}
    operated.core.create_namespaced_resource_quota(
        namespace, {"metadata": {"name": "computations"}, "spec": {"hard": hard}}
    )

    def counted():
        found = operated.core.read_namespaced_resource_quota("computations", namespace)
        return found.status.hard == hard

    operated.until(counted)
    policy, _ = operated.policy(platform="sev-snp")
    document = operated.document("first", policy)
    document["metadata"]["namespace"] = namespace
    operated.create(document)
    document["metadata"]["name"] = "second"
    with pytest.raises(ApiException) as caught:
        operated.create(document)
    assert caught.value.status == 403
    assert "exceeded quota" in caught.value.body


@pytest.mark.parametrize(
    "path", sorted(MANIFESTS.glob("base/[!kn]*.yaml")), ids=lambda path: path.stem
)
def test_the_api_server_knows_every_field_of_the_manifests(cluster, path):
    document = yaml.safe_load(path.read_text())
    document["metadata"]["name"] = f"dry-{document['metadata']['name']}"
    if document["kind"] == "CustomResourceDefinition":
        document["metadata"]["name"] = document["metadata"]["name"].removeprefix("dry-")
        cluster.dynamic.resources.get(
            api_version=document["apiVersion"], kind=document["kind"]
        ).patch(
            body=document, name=document["metadata"]["name"], dry_run="All",
            content_type="application/merge-patch+json",
            query_params=[("fieldValidation", "Strict")],
        )  # fmt: skip
    else:
        cluster.create(document, dry_run="All")


def test_the_operators_pod_is_let_in_where_the_most_restricted_are(cluster):
    deployment = yaml.safe_load((MANIFESTS / "base/deployment.yaml").read_text())
    pod = {
        "apiVersion": "v1", "kind": "Pod", "spec": deployment["spec"]["template"]["spec"],
        "metadata": {"name": "operator", "namespace": "veracruz"},
    }  # fmt: skip
    cluster.create(pod, dry_run="All")
    pod["spec"]["securityContext"].pop("seccompProfile")
    with pytest.raises(ApiException) as caught:
        cluster.create(pod, dry_run="All")
    assert "violates PodSecurity" in caught.value.body
