"""What an isolate is walled in by, layer by layer, in the words that evidence and policies use."""

from enum import StrEnum, unique
from typing import Final


@unique
class IsolationLayer(StrEnum):
    """One thing that keeps an isolate and its host apart; each holds without the others.

    The value is how a token, a policy and people name it.
    """

    IMAGE_ROOT = "image-root"
    """Its root is a read-only private copy of the runtime image, checked after it was copied."""

    NAMESPACES = "namespaces"
    """It has its own user, mount, pid, net, ipc, uts and cgroup namespaces."""

    CAPABILITIES = "capabilities"
    """It holds no capability and can gain none: bounding set and ambient set are empty."""

    NO_NEW_PRIVILEGES = "no-new-privileges"
    """Executing a program can give it nothing that it does not have."""

    NOT_DUMPABLE = "not-dumpable"
    """No core of it is written, and no other process of its user can trace or read it."""

    LIMITS = "limits"
    """Its memory, files, descriptors and processes are bounded, apart from its user's others."""

    LANDLOCK = "landlock"
    """The kernel's Landlock refuses it every file."""

    SECCOMP = "seccomp"
    """It can make only the system calls of a list."""

    SEPARATE_USER = "separate-user"
    """Its root attester runs as neither root nor the user of the bridge."""


RUNTIME_LAYERS: Final = frozenset(IsolationLayer) - {IsolationLayer.SEPARATE_USER}
"""What the runtime brings about by itself, on every machine that allows it."""
