"""What a running bridge has of the policies in a folder."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from colima import decode, encode
from colima.sinaloa import (
    POLICY_KEY,
    SERVICE,
    DescribeIsolateRequest,
    DescribeIsolateResponse,
)
from sinaloa.computation import NO_ISOLATE_YET
from sinaloa.policy_folder import policies_in
from veracruz_shells.call_errors import CallError, CallStatus
from veracruz_shells.channels import open_channel, unary
from veracruz_shells.grpc_setup import grpc
from veracruz_shells.policy_files import read_policy
from veracruz_utils.address import Address
from veracruz_utils.errors import VeracruzError
from veracruz_utils.frozen import frozen

_ANSWER_S: Final = 10.0


@frozen
class PolicyStanding:
    """A policy's file, and what the bridge has of it.

    Attributes:
        file: the file.
        policy_digest: of the policy; "" when the file holds none.
        state: "running", "waiting" for its first use, "ended", "unknown" to the bridge, or
            "unusable" file.
        detail: what there is to say about that.
        platform: of the isolate, as the bridge says; "" without one.
    """

    file: str
    policy_digest: str
    state: str
    detail: str = ""
    platform: str = ""

    def facts(self) -> dict[str, str]:
        """For JSON."""
        return {
            "file": self.file,
            "policy_digest": self.policy_digest,
            "state": self.state,
            "detail": self.detail,
            "platform": self.platform,
        }


def standings(folder: Path, bridge: Address) -> Iterator[PolicyStanding]:
    """Each policy of the folder.

    Raises:
        VeracruzError: the folder cannot be read, or the bridge not be reached.
    """
    with open_channel(str(bridge)) as channel:
        for path in policies_in(folder):
            try:
                digest = str(read_policy(path).digest)
            except VeracruzError as error:
                yield PolicyStanding(path.name, "", "unusable", str(error))
                continue
            yield _standing(channel, bridge, path.name, digest)


def _standing(channel: grpc.Channel, bridge: Address, file: str, digest: str) -> PolicyStanding:
    try:
        answer = unary(
            channel,
            f"/{SERVICE}/Describe",
            encode(DescribeIsolateRequest()),
            timeout_s=_ANSWER_S,
            peer=f"sinaloa at {bridge}",
            metadata={POLICY_KEY: digest},
        )
    except CallError as error:
        if error.status is CallStatus.NOT_FOUND:
            return PolicyStanding(file, digest, "unknown")
        if NO_ISOLATE_YET in str(error):
            return PolicyStanding(file, digest, "waiting")
        return PolicyStanding(file, digest, "ended", str(error))
    found = decode(DescribeIsolateResponse, answer)
    if found.policy_digest.hex() != digest:  # a bridge of one policy, which is another
        return PolicyStanding(file, digest, "unknown")
    return PolicyStanding(file, digest, "running", platform=found.platform)
