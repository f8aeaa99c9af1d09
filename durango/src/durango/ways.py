"""Which way a session's bytes take to the bridge: over gRPC, or over bare TCP, which costs less.

Where its port for bulk is, the bridge itself says. That need not be believed: whoever is reached
has to hold the attested certificate, on either way.
"""

import enum
from typing import Final

from colima import decode, encode
from colima import sinaloa as bridge
from durango.halt import Halt
from jalisco import (
    BulkTransport,
    NoBulkPortError,
    SinaloaTransport,
    Transport,
    open_session_channel,
)
from veracruz_shells.channels import unary
from veracruz_shells.grpc_setup import grpc
from veracruz_utils.address import Address
from veracruz_utils.errors import VeracruzError
from veracruz_utils.policy import Policy

_ASKING_S: Final = 5.0
"""For where the port is, and for a connection to it, where gRPC is there as well."""


class TransportKind(enum.StrEnum):
    """How a session's bytes get to the bridge."""

    AUTO = "auto"
    GRPC = "grpc"
    TCP = "tcp"


class Way:
    """To one bridge, for one connection after the other.

    Attributes:
        taken: by the last connection, GRPC or TCP; before there was one, what was asked for.
    """

    def __init__(
        self,
        policy: Policy,
        sinaloa: Address,
        *,
        transport: TransportKind,
        bulk: Address | None,
        halt: Halt,
    ) -> None:
        """A way to the isolate of a policy.

        Args:
            policy: the principal's own copy.
            sinaloa: where the bridge is.
            transport: which way; AUTO is TCP if the bridge has a port for it that can be reached.
            bulk: where that port is, if not where the bridge says.
            halt: ends what is on the way.
        """
        self._policy = policy
        self._sinaloa = sinaloa
        self._kind = transport
        self._bulk = bulk
        self._halt = halt
        self.taken = transport

    def transport(self, timeout_s: float) -> Transport:
        """A new one; over gRPC it connects as it is used.

        Raises:
            SessionError: the port for bulk is not there and nothing else is allowed, or it takes
                no session.
        """
        if self._kind is TransportKind.GRPC:
            return self._over_grpc(open_session_channel(str(self._sinaloa)))
        if self._bulk is not None and self._kind is TransportKind.TCP:
            return self._over_tcp(self._bulk, timeout_s)
        # One for the question and for the session, if it is to go over gRPC.
        channel = open_session_channel(str(self._sinaloa))
        try:
            asking_s = timeout_s if self._kind is TransportKind.TCP else min(timeout_s, _ASKING_S)
            transport = self._over_tcp(self._bulk or self._port(channel, asking_s), asking_s)
        except NoBulkPortError:
            self._halt.check()
            if self._kind is TransportKind.TCP:
                channel.close()
                raise
            return self._over_grpc(channel)
        except BaseException:
            channel.close()
            raise
        channel.close()
        return transport

    def _over_grpc(self, channel: grpc.Channel) -> Transport:
        transport = SinaloaTransport(
            str(self._sinaloa), policy=str(self._policy.digest), channel=channel
        )
        self._halt.watch(transport.abort)
        self.taken = TransportKind.GRPC
        return transport

    def _over_tcp(self, port: Address, timeout_s: float) -> Transport:
        transport = BulkTransport(port, policy=self._policy.digest.value)
        self._halt.watch(transport.abort)
        transport.open(timeout_s)
        self.taken = TransportKind.TCP
        return transport

    def _port(self, channel: grpc.Channel, timeout_s: float) -> Address:
        """Where the bridge says that it takes sessions over bare TCP.

        Raises:
            NoBulkPortError: it does not, or does not answer.
        """
        peer = f"sinaloa at {self._sinaloa}"
        method, asked = f"/{bridge.SERVICE}/BulkPort", encode(bridge.BulkPortRequest())
        self._halt.watch(channel.close)
        try:
            answer = unary(channel, method, asked, timeout_s=timeout_s, peer=peer)
            port = decode(bridge.BulkPortResponse, answer).port
            if port:
                return Address(self._sinaloa.host, port)
        except (VeracruzError, ValueError) as error:  # a ValueError: the channel was closed
            raise NoBulkPortError(f"{peer} does not say where it takes bulk: {error}") from error
        raise NoBulkPortError(
            f"{peer} takes no sessions over bare TCP: have the delegate run 'sinaloa serve' with "
            "--bulk-listen, or use --transport auto"
        )
