"""Operators that are killed, stand side by side and have much to do: one of them works."""

import os

from support.operated_cluster import NAMESPACE
from support.patience import PATIENCE_S

AT_ONCE = int(os.environ.get("VERACRUZ_COMPUTATIONS", "4"))


def test_an_operator_that_is_killed_in_the_middle_is_followed_by_another(cluster):
    policy, parties = cluster.policy()
    with cluster.operating() as first:
        cluster.until(lambda: cluster.leads(first))
        cluster.create(cluster.document("restarted", policy))
        cluster.until(lambda: cluster.pods("restarted"))
        cluster.kill(first)
    with cluster.operating() as second:
        cluster.until(lambda: cluster.leads(second))
        cluster.until_attested("restarted")
        assert cluster.kubelet.started.count("restarted-1") == 1
        assert cluster.status("restarted")["attempt"] == 1
        cluster.complete("restarted-1", policy, parties)
        cluster.kill(second)
    with cluster.operating():
        cluster.until_phase("restarted", "Finished")


def test_of_two_operators_one_works_and_the_other_takes_over(cluster):
    policy, _ = cluster.policy()
    with cluster.operating() as first:
        cluster.until(lambda: cluster.leads(first))
        with cluster.operating() as second:
            cluster.create(cluster.document("before", policy))
            cluster.until_attested("before")
            assert not cluster.leads(second)
            cluster.kill(first)
            cluster.create(cluster.document("after", policy))
            cluster.until_attested("after")
            assert cluster.leads(second)
            assert cluster.kubelet.started.count("before-1") == 1
            for name in ("before", "after"):
                cluster.delete(name)
            cluster.until(lambda: cluster.gone("before") and cluster.gone("after"))


def test_a_namespace_has_no_more_at_once_than_its_quota(cluster):
    policy, parties = cluster.policy()
    with cluster.operating("--quota", "1", "--namespace", NAMESPACE):
        cluster.create(cluster.document("quota-a", policy))
        cluster.until_attested("quota-a")
        cluster.create(cluster.document("quota-b", policy))
        assert cluster.until_phase("quota-b", "Waiting")["reason"] == "QuotaReached"
        assert cluster.pods("quota-b") == []
        cluster.complete("quota-a-1", policy, parties)
        cluster.until_attested("quota-b")
        cluster.delete("quota-b")
        cluster.until(lambda: cluster.gone("quota-b"))


def test_many_computations_at_once_come_to_their_results(cluster):
    names = [f"many-{number}" for number in range(AT_ONCE)]
    made = {name: cluster.policy() for name in names}
    with cluster.operating("--interval", "2"):
        for name, (policy, _) in made.items():
            cluster.create(cluster.document(name, policy))
        for name in names:
            cluster.until_attested(name, patience_s=PATIENCE_S * max(1, AT_ONCE // 10))
        assert all(cluster.status(name)["phase"] == "Running" for name in names)
        results = [cluster.complete(f"{name}-1", *made[name]) for name in names]
        assert len({tuple(each) for each in results}) == 1
        for name in names:
            cluster.until_phase(name, "Finished")
        cluster.until(lambda: not any(cluster.pods(name) for name in names))
    assert all(cluster.kubelet.started.count(f"{name}-1") == 1 for name in names)
    assert cluster.kubelet.most_at_once >= AT_ONCE
