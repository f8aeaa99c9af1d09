"""Nobody has to believe the cluster: what it places wrongly is refused by who attests it."""

import pytest

from durango import attest
from durango.errors import GateError
from sinaloa_operator.pods import config_map, pod
from sinaloa_operator.specification import Placement
from support.operated_cluster import NAMESPACE


@pytest.fixture(scope="module")
def operated(cluster):
    with cluster.operating() as operator:
        cluster.until(lambda: cluster.leads(operator))
        yield cluster


def test_a_name_that_leads_to_another_computation_is_refused(operated):
    mine, _ = operated.policy()
    other, _ = operated.policy()
    operated.create(operated.document("other", other, drainSeconds=0))
    operated.until_attested("other")
    with pytest.raises(GateError, match="policy"):
        attest(mine, sinaloa=operated.address_of("other-1"))
    operated.delete("other")
    operated.until(lambda: operated.gone("other"))


def test_a_plain_node_in_the_place_of_hardware_is_refused(operated):
    """An operator that lies: it says that the policy accepts what it does not."""
    hardware, _ = operated.policy(platform="sev-snp")
    software, _ = operated.policy()
    operated.create(operated.document("lied-to", software, drainSeconds=0))
    operated.until_attested("lied-to")
    found = operated.computations.get(name="lied-to", namespace=NAMESPACE).to_dict()
    found["metadata"]["name"] = "lying"
    placement = Placement.read(found)
    forged = [config_map(placement), pod(placement, 1, "registry.example/veracruz:tests")]
    forged[0]["data"]["policy.json"] = hardware.raw.decode()
    for each in forged:
        del each["metadata"]["ownerReferences"]
        operated.create(each)
    operated.until(lambda: "lying-1" in operated.kubelet.started)
    operated.until(lambda: operated.listens("lying-1"))
    with pytest.raises(GateError, match="linux-software-root"):
        attest(hardware, sinaloa=operated.address_of("lying-1"))
    operated.core.delete_namespaced_pod("lying-1", NAMESPACE)
    operated.delete("lied-to")
    operated.until(lambda: operated.gone("lied-to"))


def test_the_operator_tells_administrators_of_a_runtime_that_the_policy_does_not_accept(operated):
    policy, _ = operated.policy(measurement=b"\1" * 32)
    operated.create(operated.document("measured", policy, drainSeconds=0))
    operated.until_phase("measured", "Running")
    operated.until(
        lambda: operated.condition("measured", "Attested")["status"] == "False",
        lambda: operated.status("measured"),
    )
    said = operated.condition("measured", "Attested")
    assert said["reason"] == "AttestationRefused"
    assert "measure" in said["message"]
    operated.delete("measured")
    operated.until(lambda: operated.gone("measured"))
