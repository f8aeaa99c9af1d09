"""What every source of native evidence offers, and how it reaches the kernel.

A source has its platform make evidence over a binding. Hardware measures the root attester by
itself; a software root says what this process measured of itself. A source that is not there fails,
naming what is missing: there is no fallback to another one.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol, runtime_checkable

from sonora.errors import SonoraError
from veracruz_utils.frozen import frozen

MAX_FILE_BYTES: Final = 64 * 1024


class EvidenceSource(Protocol):
    """Native evidence about this root attester.

    Attributes:
        platform: as the attester enrols, and its isolates are named in tokens and policies.
    """

    platform: str

    def evidence(self, binding: bytes) -> bytes:
        """Evidence that this root attester, as it is measured, made `binding` (32 bytes).

        Raises:
            SonoraError: the platform gives none.
        """


@frozen
class KeyEndorsement:
    """What a platform has to show for the key that signs its evidence.

    Attributes:
        certificate: of the platform's endorsement key, DER.
        authorities: certificates above it, PEM; may be none.
        key_area: the public area of the key that signs, as the platform has it.
    """

    certificate: bytes
    authorities: bytes
    key_area: bytes


@frozen
class Credential:
    """A secret that only the platform with both keys can read: the verifier made it for them."""

    blob: bytes
    encrypted_secret: bytes


@runtime_checkable
class EndorsedSource(EvidenceSource, Protocol):
    """A source whose signing key is not certified, and that can prove where it lives."""

    def endorsed_evidence(
        self, binding: bytes, credential_for: Callable[[KeyEndorsement], Credential]
    ) -> bytes:
        """As `evidence`, and with proof of the signing key, where the platform has a certificate.

        Args:
            binding: what the evidence is over.
            credential_for: asks the verifier for a credential; what it raises is raised.

        Raises:
            SonoraError: the platform gives none.
        """


class EvidenceUnavailableError(SonoraError):
    """The platform that was asked for is not there, or gives no evidence."""


class Files(Protocol):
    """The kernel's or a LibOS's interface of files."""

    def read(self, path: Path) -> bytes:
        """All of a file."""

    def write(self, path: Path, data: bytes) -> None:
        """Write a file in one call."""

    def make_folder(self, path: Path) -> None:
        """Make a folder, which may be how a request begins."""

    def remove_folder(self, path: Path) -> None:
        """Remove it again, with what the kernel put there."""


class KernelFiles:
    """`Files` as they are: every write is one system call, every read is to the end.

    Raises:
        EvidenceUnavailableError: the kernel refuses; its word for it is in the message.
    """

    def read(self, path: Path) -> bytes:
        """All of a file, at most 64 KiB."""
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            with open(descriptor, "rb", buffering=0) as file:  # noqa: PTH123 - a descriptor
                return _read_all(file.fileno())
        except OSError as error:
            raise _unavailable(path, error) from error

    def write(self, path: Path, data: bytes) -> None:
        """Write a file that is there."""
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
            try:
                written = os.write(descriptor, data)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise _unavailable(path, error) from error
        if written != len(data):
            raise EvidenceUnavailableError(f"{path} took {written} of {len(data)} bytes")

    def make_folder(self, path: Path) -> None:
        """Make a folder for this user alone."""
        try:
            path.mkdir(mode=0o700)
        except OSError as error:
            raise _unavailable(path, error) from error

    def remove_folder(self, path: Path) -> None:
        """Remove a folder; what is left of it is the kernel's business."""
        try:
            path.rmdir()
        except OSError as error:
            raise _unavailable(path, error) from error


def _read_all(descriptor: int) -> bytes:
    # To the end, whatever the size says: the kernel's files have it as 0 or as a page.
    data = b""
    while piece := os.read(descriptor, MAX_FILE_BYTES + 1 - len(data)):
        data += piece
        if len(data) > MAX_FILE_BYTES:
            raise EvidenceUnavailableError(f"the file has more than {MAX_FILE_BYTES} bytes")
    return data


def _unavailable(path: Path, error: OSError) -> EvidenceUnavailableError:
    return EvidenceUnavailableError(f"{path}: {error.strerror or error}")
