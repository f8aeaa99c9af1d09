"""What is decided for a computation, by what is asked for and seen; no cluster is needed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from sinaloa_operator.conditions import status_of
from sinaloa_operator.decisions import Course, Seen, decide, refused
from sinaloa_operator.endings import ending_of
from sinaloa_operator.errors import ObjectRefusedError
from sinaloa_operator.pods import config_map, network_policy, pod, pod_name, service
from sinaloa_operator.specification import Placement
from support.named_policies import document
from support.policies import text
from support.stack import new_party

NOTHING = Seen(pods=(), attempt=0, ahead=0, quota=None, attested=None)


def policy_on(platform):
    policy = document()
    policy["platforms"] = [{**policy["platforms"][0], "name": platform}]
    return text(policy).decode()


def body(**spec):
    return {
        "metadata": {
            "name": "sum", "namespace": "computations", "uid": "1",
            "creationTimestamp": "2026-01-01T00:00:00Z",
        },
        "spec": {
            "policy": policy_on("linux-software-root"),
            "platform": "linux-software-root",
            "softwareRootSecret": "root",
            **spec,
        },
    }  # fmt: skip


def certificate_text():
    party = new_party("authority")
    return x509.load_der_x509_certificate(party.certificate).public_bytes(Encoding.PEM).decode()


def placement(**spec):
    return Placement.read(body(**spec))


def now(wanted):
    return wanted.policy.expires_at - timedelta(days=1)


def seen_pod(wanted, attempt, phase="Running", *, ready=False, code=None, said=""):
    made = pod(wanted, attempt, "image")
    status = {"phase": phase, "podIP": "10.0.0.7"}
    status["conditions"] = [{"type": "Ready", "status": "True" if ready else "False"}]
    if code is not None:
        ended = {"exitCode": code, "message": said}
        status["containerStatuses"] = [{"name": "sinaloa", "state": {"terminated": ended}}]
    return {**made, "status": status}


def test_the_first_step_is_to_make_the_first_attempt():
    plan = decide(placement(), NOTHING, now(placement()))
    assert (plan.phase, plan.attempt, plan.start, plan.end) == (
        Course.STARTING,
        1,
        True,
        (),
    )


def test_an_attempt_that_was_made_is_known_by_its_pod_though_no_status_tells_of_it():
    wanted = placement()
    seen = replace(NOTHING, pods=[seen_pod(wanted, 1, "Pending")])
    plan = decide(wanted, seen, now(wanted))
    assert (plan.phase, plan.attempt) == (Course.STARTING, 1)


def test_a_bridge_that_is_ready_is_asked():
    wanted = placement()
    plan = decide(wanted, replace(NOTHING, pods=[seen_pod(wanted, 1, ready=True)]), now(wanted))
    assert (plan.phase, plan.ask) == (Course.RUNNING, "10.0.0.7")


@pytest.mark.parametrize(("attempts", "phase"), [(1, Course.FAILED), (2, Course.STARTING)])
def test_a_failure_ends_the_last_attempt_and_another_begins_the_next(attempts, phase):
    wanted = placement(attempts=attempts)
    failed = seen_pod(wanted, 1, "Failed", code=4, said='{"message": "sonora went away"}')
    plan = decide(wanted, replace(NOTHING, attempt=1, pods=[failed]), now(wanted))
    assert plan.phase is phase
    assert plan.attempt == attempts
    assert "sonora went away" in plan.message
    assert plan.end == ("sum-1",)


def test_a_pod_that_is_gone_is_not_made_again():
    wanted = placement(attempts=2)
    plan = decide(wanted, replace(NOTHING, attempt=1), now(wanted))
    assert (plan.attempt, plan.start) == (2, True)
    plan = decide(wanted, replace(NOTHING, attempt=2), now(wanted))
    assert (plan.phase, plan.reason, plan.start) == (Course.FAILED, "PodGone", False)


def test_what_ended_as_the_policy_says_is_not_tried_again():
    wanted = placement(attempts=9)
    done = seen_pod(wanted, 1, "Succeeded", code=0)
    plan = decide(wanted, replace(NOTHING, attempt=1, pods=[done]), now(wanted))
    assert (plan.phase, plan.reason) == (Course.FINISHED, "ByPolicy")


def test_an_older_attempt_is_ended():
    wanted = placement(attempts=2)
    pods = [seen_pod(wanted, 1), seen_pod(wanted, 2)]
    assert decide(wanted, replace(NOTHING, pods=pods), now(wanted)).end == ("sum-1",)


@pytest.mark.parametrize(
    ("spec", "at", "reason"),
    [
        ({"timeToLiveSeconds": 60}, datetime(2026, 1, 1, 0, 1, tzinfo=UTC), "TimeToLiveOver"),
        ({}, None, "PolicyExpired"),
    ],
)
def test_time_ends_it(spec, at, reason):
    wanted = placement(**spec)
    seen = replace(NOTHING, pods=[seen_pod(wanted, 1, ready=True)])
    plan = decide(wanted, seen, at or wanted.policy.expires_at)
    assert (plan.phase, plan.reason, plan.end) == (Course.FINISHED, reason, ("sum-1",))


def test_a_quota_keeps_back_what_has_not_begun_and_nothing_else():
    wanted = placement()
    full = replace(NOTHING, ahead=2, quota=2)
    assert decide(wanted, full, now(wanted)).phase is Course.WAITING
    begun = replace(full, attempt=1, pods=[seen_pod(wanted, 1)])
    assert decide(wanted, begun, now(wanted)).phase is Course.STARTING


@given(
    phases=st.lists(
        st.tuples(
            st.integers(0, 12),
            st.sampled_from(["Pending", "Running", "Succeeded", "Failed", "Unknown"]),
            st.booleans(),
        ),
        max_size=4,
    ),
    attempt=st.integers(0, 3),
    attempts=st.integers(1, 10),
)
def test_no_attempt_is_begun_whose_number_was_used(phases, attempt, attempts):
    wanted = placement(attempts=attempts)
    pods = [seen_pod(wanted, number, phase, ready=ready) for number, phase, ready in phases]
    plan = decide(wanted, replace(NOTHING, pods=pods, attempt=attempt), now(wanted))
    used = {number for number, _, _ in phases}
    if plan.start and plan.attempt not in used:
        assert plan.attempt == max({0, attempt, *used}) + 1
        assert plan.attempt <= attempts


@pytest.mark.parametrize(
    ("spec", "reason", "words"),
    [
        ({"platform": "tdx"}, "PlatformNotAccepted", "accepts linux-software-root"),
        ({"platform": "moon"}, "PlatformUnknown", "moon"),
        ({"softwareRootSecret": ""}, "SoftwareRootMismatch", "not given"),
        ({"policy": "{}"}, "PolicyRefused", "policy:"),
        ({"tabascoCA": "no certificate"}, "AuthorityRefused", "expected certificates in PEM"),
        ({"policy": "\ud800"}, "PolicyRefused", "policy:"),
    ],
)
def test_what_cannot_be_placed_is_refused_by_name(spec, reason, words):
    with pytest.raises(ObjectRefusedError) as caught:
        placement(**spec)
    assert caught.value.reason == reason
    assert words in str(caught.value)


def test_a_name_that_leaves_no_room_for_an_attempt_is_refused():
    long = body()
    long["metadata"]["name"] = "a" * 51
    with pytest.raises(ObjectRefusedError, match="51 characters, expected at most 50"):
        Placement.read(long)


def test_last_words_of_a_bridge_are_bounded_and_cannot_break_a_line():
    wanted = placement()
    failed = seen_pod(wanted, 1, "Failed", code=77, said="ready\n" + "\x1b[2J" * 400)
    ending = ending_of(failed)
    assert ending.reason == "BridgeFailed"
    assert ending.message.isprintable()
    assert len(ending.message) <= 500


def test_a_condition_keeps_its_time_while_it_stays_as_it_is():
    wanted = placement()
    at = now(wanted)
    plan = decide(wanted, replace(NOTHING, pods=[seen_pod(wanted, 1, ready=True)]), at)
    first = status_of(wanted, replace(plan, attested=""), {}, at)
    later = status_of(wanted, replace(plan, attested=""), first, at + timedelta(hours=1))
    assert later == first
    worse = status_of(wanted, replace(plan, attested="no"), first, at + timedelta(hours=1))
    changed = [each["type"] for each in worse["conditions"] if each not in first["conditions"]]
    assert changed == ["Attested"]


def test_of_who_is_missing_no_more_is_said_than_anybody_knows():
    wanted = placement()
    plan = decide(wanted, replace(NOTHING, pods=[seen_pod(wanted, 1, ready=True)]), now(wanted))
    status = status_of(wanted, plan, {}, now(wanted))
    (missing,) = (each for each in status["conditions"] if each["type"] == "PrincipalsMissing")
    assert missing["status"] == "Unknown"
    assert all(each.label in missing["message"] for each in wanted.policy.identities)


def test_a_refused_object_has_conditions_too():
    status = status_of(None, refused("PolicyRefused", "policy: no"), {}, datetime.now(UTC))
    assert status["phase"] == "Refused"
    assert {each["type"]: each["status"] for each in status["conditions"]}["Failed"] == "True"


def test_every_container_is_nobodys_root_on_a_root_that_is_only_read():
    made = pod(placement(), 1, "image")["spec"]
    assert made["securityContext"]["runAsNonRoot"]
    assert made["automountServiceAccountToken"] is False
    for each in made["initContainers"] + made["containers"]:
        assert each["securityContext"]["readOnlyRootFilesystem"]
        assert each["securityContext"]["allowPrivilegeEscalation"] is False
        assert each["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert all(
        each.get("emptyDir", {"medium": "Memory"}) == {"medium": "Memory"}
        for each in made["volumes"]
    )


def test_hardware_is_asked_for_by_class_and_devices_and_vouches_itself():
    wanted = Placement.read(
        body(
            policy=policy_on("sev-snp"), platform="sev-snp", softwareRootSecret="",
            runtimeClassName="kata-qemu-snp", nodeSelector={"snp": "yes"},
            resources={"limits": {"sev-snp.example/esid": 1}},
        )
    )  # fmt: skip
    made = pod(wanted, 1, "image")["spec"]
    assert made["runtimeClassName"] == "kata-qemu-snp"
    assert made["nodeSelector"] == {"snp": "yes"}
    (sonora,) = made["initContainers"]
    assert sonora["args"][:2] == ["--evidence", "tsm"]
    assert sonora["resources"] == {"limits": {"sev-snp.example/esid": 1}}
    assert [each["name"] for each in made["volumes"]] == ["state", "temporary", "policy"]


def test_a_confidential_node_without_a_runtime_of_its_own_shows_its_kernels_interface():
    wanted = Placement.read(
        body(policy=policy_on("sev-snp"), platform="sev-snp", softwareRootSecret="")
    )
    made = pod(wanted, 1, "image")["spec"]
    (sonora,) = made["initContainers"]
    assert "/sys/kernel/config/tsm/report" in [each["mountPath"] for each in sonora["volumeMounts"]]
    assert {"path": "/sys/kernel/config/tsm/report", "type": "Directory"} in [
        each.get("hostPath") for each in made["volumes"]
    ]


def test_authorities_of_the_attestation_service_come_with_the_policy():
    authority = certificate_text()
    wanted = placement(tabascoCA=authority)
    assert config_map(wanted)["data"]["tabasco-ca.pem"] == authority
    (*_, sonora) = pod(wanted, 1, "image")["spec"]["initContainers"]
    place = sonora["args"].index("--tabasco-ca") + 1
    assert sonora["args"][place] == "/etc/veracruz/policy/tabasco-ca.pem"
    assert "/etc/veracruz/policy" in [each["mountPath"] for each in sonora["volumeMounts"]]


def test_objects_of_a_computation_are_its_own():
    wanted = placement()
    made = [config_map(wanted), service(wanted), network_policy(wanted), pod(wanted, 3, "image")]
    for each in made:
        assert [owner["uid"] for owner in each["metadata"]["ownerReferences"]] == ["1"]
    assert made[0]["data"]["policy.json"].encode() == wanted.policy.raw
    assert made[0]["immutable"]
    assert made[3]["metadata"]["name"] == pod_name(wanted, 3) == "sum-3"
