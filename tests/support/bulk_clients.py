"""Clients of a bridge's port for bulk, as raw as a test wants them."""

import socket

from colima import decode, read_frame
from colima.sinaloa import MAX_ANSWER_BYTES, BulkAnswer


def answer_on(connection: socket.socket) -> BulkAnswer:
    """What the bridge answers to what was said first."""
    payload = read_frame(connection.recv, limit=MAX_ANSWER_BYTES)
    assert payload is not None, "the bridge closed the connection"
    return decode(BulkAnswer, payload)
