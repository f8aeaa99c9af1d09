"""Write what a cluster is given for the operator: Kustomize base, Helm chart, seccomp profile.

python tools/kubernetes_manifests.py sinaloa_operator/manifests

All of it is of one source, this file: the chart is the base with its values left open.
"""

import json
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from sinaloa_operator import definitions
from sinaloa_operator.names import ATTESTATIONS, COMPUTATIONS, GROUP
from sinaloa_operator.pods import CONTAINER_SECURITY, USER

ROOT: Final = Path(__file__).parent.parent
_VERSION: Final = tomllib.loads((ROOT / "sinaloa_operator/pyproject.toml").read_text())["project"][
    "version"
]
_HEAD: Final = "# Made by `make manifests`.\n"
_NAME: Final = "veracruz-operator"
_LABELS: Final = {"app.kubernetes.io/name": _NAME}
_VERBS: Final = ["get", "list", "watch", "create", "patch", "update", "delete"]


@dataclass(frozen=True)
class Values:
    """What a cluster's administrator chooses."""

    image: str
    services: str
    namespace: str
    replicas: Any
    quota: Any
    interval: Any


BASE: Final = Values(
    image=f"registry.example/veracruz-operator:{_VERSION}",
    services=f"registry.example/veracruz:{_VERSION}",
    namespace="veracruz",
    replicas=2,
    quota=20,
    interval=5,
)
_OPEN: Final = Values(
    image="{{ .Values.image }}",
    services="{{ .Values.services }}",
    namespace="{{ .Release.Namespace }}",
    replicas="{{ .Values.replicas }}",
    quota="{{ .Values.quota }}",
    interval="{{ .Values.interval }}",
)

# What containers are given in common by the runtimes, and below it what isolates need besides.
_USUAL: Final = """
accept accept4 access adjtimex alarm arch_prctl bind brk cachestat capget capset chdir chmod chown
clock_adjtime clock_getres clock_gettime clock_nanosleep clone clone3 close close_range connect
copy_file_range creat dup dup2 dup3 epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_pwait2
epoll_wait eventfd eventfd2 execve execveat exit exit_group faccessat faccessat2 fadvise64
fallocate fchdir fchmod fchmodat fchmodat2 fchown fchownat fcntl fdatasync fgetxattr flistxattr
flock fork fremovexattr fsetxattr fstat fstatfs fsync ftruncate futex futex_waitv futimesat
get_robust_list getcpu getcwd getdents getdents64 getegid geteuid getgid getgroups getitimer
getpeername getpgid getpgrp getpid getppid getpriority getrandom getresgid getresuid getrlimit
getrusage getsid getsockname getsockopt gettid gettimeofday getuid getxattr inotify_add_watch
inotify_init inotify_init1 inotify_rm_watch ioctl kill landlock_add_rule landlock_create_ruleset
landlock_restrict_self lchown lgetxattr link linkat listen listxattr llistxattr lremovexattr lseek
lsetxattr lstat madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mkdir mkdirat
mlock mlock2 mlockall mmap mprotect mremap msync munlock munlockall munmap name_to_handle_at
nanosleep newfstatat open openat openat2 pause pidfd_open pidfd_send_signal pipe pipe2 pkey_alloc
pkey_free pkey_mprotect poll ppoll prctl pread64 preadv preadv2 prlimit64 process_mrelease pselect6
pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv recvfrom recvmmsg recvmsg
remap_file_pages removexattr rename renameat renameat2 restart_syscall rmdir rseq rt_sigaction
rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait
rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr
sched_getparam sched_getscheduler sched_setaffinity sched_yield seccomp select sendfile sendmmsg
sendmsg sendto set_robust_list set_tid_address setfsgid setfsuid setgid setgroups setitimer
setpgid setpriority setregid setresgid setresuid setreuid setrlimit setsid setsockopt setuid
setxattr shutdown sigaltstack signalfd signalfd4 socket socketpair splice stat statfs statx symlink
symlinkat sync sync_file_range sysinfo tee tgkill time timer_create timer_delete timer_getoverrun
timer_gettime timer_settime timerfd_create timerfd_gettime timerfd_settime times tkill truncate
umask uname unlink unlinkat utime utimensat utimes vfork vmsplice wait4 waitid write writev
"""
_FOR_ISOLATES: Final = """
fsconfig fsmount fsopen mount mount_setattr move_mount open_tree pivot_root sethostname setns
umount2 unshare
"""


def seccomp_profile() -> dict[str, Any]:
    """What containers with isolates may call; an isolate's own filters allow far less."""
    return {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": 1,
        "archMap": [
            {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": []},
            {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": []},
        ],
        "syscalls": [
            {"names": _USUAL.split(), "action": "SCMP_ACT_ALLOW"},
            {"names": _FOR_ISOLATES.split(), "action": "SCMP_ACT_ALLOW"},
        ],
    }


def objects(values: Values) -> list[dict[str, Any]]:
    """What the operator is in a cluster, besides the definitions of its kinds."""
    return [
        _object("v1", "ServiceAccount", _meta(values)),
        _object(
            "rbac.authorization.k8s.io/v1", "ClusterRole", {"name": _NAME}, rules=_cluster_rules()
        ),
        _object(
            "rbac.authorization.k8s.io/v1",
            "ClusterRoleBinding",
            {"name": _NAME},
            **_binding("ClusterRole", values),
        ),
        _object(
            "rbac.authorization.k8s.io/v1",
            "Role",
            _meta(values),
            rules=[_rule("coordination.k8s.io", ["leases"], ["get", "create", "update", "patch"])],
        ),
        _object(
            "rbac.authorization.k8s.io/v1",
            "RoleBinding",
            _meta(values),
            **_binding("Role", values),
        ),
        _object("apps/v1", "Deployment", _meta(values), spec=_deployment(values)),
        _object(
            "policy/v1",
            "PodDisruptionBudget",
            _meta(values),
            spec={"maxUnavailable": 1, "selector": {"matchLabels": _LABELS}},
        ),
        _object(
            "networking.k8s.io/v1",
            "NetworkPolicy",
            _meta(values),
            spec={"podSelector": {"matchLabels": _LABELS}, "policyTypes": ["Ingress"]},
        ),
    ]


def files() -> dict[str, str]:
    """All files, by their places in the folder."""
    base = {
        **{f"{_file_name(each)}": _yaml(each) for each in definitions()},
        "namespace.yaml": _yaml(_namespace()),
        **{f"{_file_name(each)}": _yaml(each) for each in objects(BASE)},
    }
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": sorted(base),
        "images": [],
    }
    chart = {
        "apiVersion": "v2",
        "name": _NAME,
        "description": "Computations of Veracruz, and its attestation services, in a cluster",
        "type": "application",
        "version": _VERSION,
        "appVersion": _VERSION,
    }
    values = {
        "image": BASE.image,
        "services": BASE.services,
        "replicas": BASE.replicas,
        "quota": BASE.quota,
        "interval": BASE.interval,
    }
    return {
        **{f"base/{name}": text for name, text in base.items()},
        "base/kustomization.yaml": _yaml(kustomization),
        "chart/Chart.yaml": _yaml(chart),
        "chart/values.yaml": _yaml(values),
        "chart/values.schema.json": _json(_values_schema()),
        **{f"chart/crds/{_file_name(each)}": _yaml(each) for each in definitions()},
        **{f"chart/templates/{_file_name(each)}": _template(each) for each in objects(_OPEN)},
        "seccomp/isolates.json": _json(seccomp_profile()),
    }


def _namespace() -> dict[str, Any]:
    level = {"pod-security.kubernetes.io/enforce": "restricted"}
    return _object("v1", "Namespace", {"name": BASE.namespace, "labels": level})


def _cluster_rules() -> list[dict[str, Any]]:
    return [
        _rule(GROUP, [COMPUTATIONS, ATTESTATIONS], ["get", "list", "watch", "patch", "update"]),
        _rule(
            GROUP,
            [
                f"{each}/{part}"
                for each in (COMPUTATIONS, ATTESTATIONS)
                for part in ("status", "finalizers")
            ],
            ["get", "patch", "update"],
        ),
        _rule("", ["pods", "services", "configmaps"], _VERBS),
        _rule("", ["events"], ["create", "patch"]),
        _rule("", ["namespaces"], ["get", "list", "watch"]),
        _rule("apps", ["deployments"], _VERBS),
        _rule("policy", ["poddisruptionbudgets"], _VERBS),
        _rule("networking.k8s.io", ["networkpolicies"], _VERBS),
        _rule("apiextensions.k8s.io", ["customresourcedefinitions"], ["get", "list", "watch"]),
    ]


def _deployment(values: Values) -> dict[str, Any]:
    container = {
        "name": "operator",
        "image": values.image,
        "command": ["veracruz-operator", "run"],
        "args": [
            f"--image={values.services}",
            f"--quota={values.quota}",
            f"--interval={values.interval}",
            f"--lease-namespace={values.namespace}",
            "--log-format=json",
        ],
        "resources": {
            "requests": {"cpu": "100m", "memory": "128Mi"},
            "limits": {"memory": "512Mi"},
        },
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": [{"name": "temporary", "mountPath": "/tmp"}],  # noqa: S108
    }
    pod = {
        "serviceAccountName": _NAME,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": [{"name": "temporary", "emptyDir": {"medium": "Memory"}}],
    }
    return {
        "replicas": values.replicas,
        "selector": {"matchLabels": _LABELS},
        "template": {"metadata": {"labels": _LABELS}, "spec": pod},
    }


def _binding(kind: str, values: Values) -> dict[str, Any]:
    subject = {"kind": "ServiceAccount", "name": _NAME, "namespace": values.namespace}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": _NAME}
    return {"roleRef": role, "subjects": [subject]}


def _rule(group: str, resources: list[str], verbs: list[str]) -> dict[str, Any]:
    return {"apiGroups": [group], "resources": resources, "verbs": verbs}


def _meta(values: Values) -> dict[str, Any]:
    return {"name": _NAME, "namespace": values.namespace, "labels": _LABELS}


def _object(version: str, kind: str, metadata: Mapping[str, Any], **rest: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"apiVersion": version, "kind": kind, "metadata": dict(metadata), **rest}


def _values_schema() -> dict[str, Any]:
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "additionalProperties": False,
        "required": ["image", "interval", "quota", "replicas", "services"],
        "properties": {
            "global": {"type": "object"},
            "image": {"type": "string", "minLength": 1},
            "interval": {"type": "number", "minimum": 0.2, "maximum": 3600},
            "quota": {"type": "integer", "minimum": 1, "maximum": 10000},
            "replicas": {"type": "integer", "minimum": 1, "maximum": 10},
            "services": {"type": "string", "minLength": 1},
        },
    }


def _file_name(each: Mapping[str, Any]) -> str:
    if each["kind"] == "CustomResourceDefinition":
        return f"{each['metadata']['name'].partition('.')[0]}.yaml"
    return f"{each['kind'].lower()}.yaml"


class _Plain(yaml.SafeDumper):
    """Writes what is there twice twice: people read these files."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - yaml's
        return True


def _yaml(document: Mapping[str, Any]) -> str:
    text = yaml.dump(document, Dumper=_Plain, sort_keys=False, width=100, allow_unicode=True)
    return _HEAD + str(text)


def _template(document: Mapping[str, Any]) -> str:
    """With numbers as numbers: a value that stands alone is not a text."""
    text = _yaml(document)
    for value in (_OPEN.replicas,):
        text = text.replace(f"'{value}'", value)
    return text


def _json(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=2) + "\n"


def main() -> None:
    """Write all files."""
    folder = Path(sys.argv[1])
    for name, text in files().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


if __name__ == "__main__":
    main()
