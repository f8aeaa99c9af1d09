"""What an object of the kind `Computation` asks for, read into a value or refused.

The API server checks the schema first; this checks what a schema cannot say. Its word counts for
placement alone: who is in the computation verifies by attestation where it came to run.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from cryptography import x509

from sinaloa_operator.errors import ObjectRefusedError
from veracruz_utils.frozen import frozen
from veracruz_utils.policy import LINUX_SOFTWARE, MAX_POLICY_BYTES, Policy, PolicyError

EVIDENCE: Final[Mapping[str, str]] = {
    LINUX_SOFTWARE: "software",
    "sev-snp": "tsm",
    "tdx": "tsm",
    "arm-cca": "tsm",
    "tpm": "tpm",
}
"""By platform, what Sonora is told to have vouch for the machine."""

MAX_ATTEMPTS: Final = 10
MAX_POLICY_CHARS: Final = min(MAX_POLICY_BYTES, 512 * 1024)
"""What of a policy an object has room for; etcd refuses objects of more than 1.5 MB."""

MAX_AUTHORITY_CHARS: Final = 64 * 1024

_MAX_NAME: Final = 50  # with `-attempt` and `-policy` still a label
_NAME: Final = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")


@frozen
class Placement:
    """A computation as it is to be placed.

    Attributes:
        namespace: where.
        name: of the object, and of what is made for it.
        uid: of the object: what is made for it goes with it.
        created: when the object was.
        policy: the policy.
        platform: the platform wanted, which the policy accepts.
        runtime_class: such as `kata-qemu-snp`; empty on a plain node.
        node_selector: labels that the node must have.
        resources: requests and limits of the pod's containers, as Kubernetes has them.
        tabasco_ca: certificates in PEM that Tabasco's has to come from; empty is plain text.
        software_root: name of the secret with a software root's key, for that platform alone.
        lifetime_s: after how many seconds everything ends; None is when the policy says.
        attempts: how often it is started, each time with nothing of the time before.
        drain_s: what a bridge that is to end has for what is under way.
    """

    namespace: str
    name: str
    uid: str
    created: datetime
    policy: Policy
    platform: str
    runtime_class: str
    node_selector: Mapping[str, str]
    resources: Mapping[str, Any]
    tabasco_ca: str
    software_root: str
    lifetime_s: int | None
    attempts: int
    drain_s: int

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> "Placement":
        """What the object asks for.

        Raises:
            ObjectRefusedError: it cannot be placed as it asks, whoever tries.
        """
        meta, spec = body["metadata"], body["spec"]
        if len(meta["name"]) > _MAX_NAME or not _NAME.fullmatch(meta["name"]):
            raise ObjectRefusedError(
                "NameRefused",
                f"name has {len(meta['name'])} characters, expected at most {_MAX_NAME}: small "
                "letters, digits and hyphens, the first a letter",
            )
        policy = _policy(spec["policy"])
        platform = spec["platform"]
        placement = cls(
            namespace=meta["namespace"],
            name=meta["name"],
            uid=meta["uid"],
            created=datetime.fromisoformat(meta["creationTimestamp"]),
            policy=policy,
            platform=platform,
            runtime_class=spec.get("runtimeClassName", ""),
            node_selector=spec.get("nodeSelector", {}),
            resources=spec.get("resources", {}),
            tabasco_ca=_authorities(spec.get("tabascoCA", "")),
            software_root=spec.get("softwareRootSecret", ""),
            lifetime_s=spec.get("timeToLiveSeconds"),
            attempts=spec.get("attempts", 1),
            drain_s=spec.get("drainSeconds", 30),
        )
        placement._check_platform()
        return placement

    def _check_platform(self) -> None:
        if self.platform not in EVIDENCE:
            raise ObjectRefusedError(
                "PlatformUnknown",
                f"platform is {self.platform}, expected one of {', '.join(sorted(EVIDENCE))}",
            )
        if self.policy.accepted(self.platform) is None:
            accepted = ", ".join(sorted(each.name for each in self.policy.platforms))
            raise ObjectRefusedError(
                "PlatformNotAccepted",
                f"platform is {self.platform}, but the policy accepts {accepted}: ask for one of "
                "these, or have the principals agree on another policy",
            )
        software = self.platform == LINUX_SOFTWARE
        if software != bool(self.software_root):
            raise ObjectRefusedError(
                "SoftwareRootMismatch",
                f"softwareRootSecret is {self.software_root or 'not given'} and platform is "
                f"{self.platform}: {LINUX_SOFTWARE} needs one, and no other platform takes one",
            )


def _policy(text: str) -> Policy:
    try:
        return Policy.parse(text.encode(), at=None)
    except (PolicyError, UnicodeEncodeError) as error:
        raise ObjectRefusedError("PolicyRefused", f"policy: {error}") from None


def _authorities(text: str) -> str:
    try:
        if text:
            x509.load_pem_x509_certificates(text.encode())
    except (ValueError, UnicodeEncodeError):
        raise ObjectRefusedError(
            "AuthorityRefused", "tabascoCA is no certificate, expected certificates in PEM"
        ) from None
    return text
