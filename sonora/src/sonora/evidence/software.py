"""The Linux software root of trust: a key in a file, with no hardware behind it.

It proves who runs this Sonora and nothing about the machine. It is named `linux-software-root` in
all evidence, and a policy must accept it by that name.
"""

import os
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Final, Self

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from psa_attestation.evidence.software import mint_software_evidence
from sonora.errors import SonoraError
from sonora.evidence.own_process import measure_this_process, measurement_of
from veracruz_shells.files import NewFile, write_new_files
from veracruz_utils.policy import LINUX_SOFTWARE

KEY_FILE: Final = "software-root.key.pem"
PUBLIC_KEY_FILE: Final = "software-root.pub.pem"
SOFTWARE_WARNING: Final = (
    f"platform {LINUX_SOFTWARE}: a software root of trust, "
    "no protection from whoever owns or administers this machine"
)
"""What everybody is told who makes one or serves by it."""
_MAX_KEY_BYTES: Final = 16 * 1024


class SoftwareRoot:
    """The Linux software root of trust."""

    platform = LINUX_SOFTWARE

    def __init__(
        self, key: ec.EllipticCurvePrivateKey, *, measure: Callable[[], bytes], version: str
    ) -> None:
        """A root with this key, for a root attester that `measure` measures (32 bytes)."""
        self._key = key
        self._measure = measure
        self._version = version

    @classmethod
    def create(cls, state: Path) -> Path:
        """Make a root key in the folder `state`; the file with its public half, to be registered.

        Raises:
            SonoraError: there is one already, or the folder cannot be written.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        secret = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        for path in (state / KEY_FILE, state / PUBLIC_KEY_FILE):
            if os.path.lexists(path):
                raise SonoraError(f"{path} exists already; use it or choose another folder")
        try:
            state.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise SonoraError(f"{error.filename}: {error.strerror}") from error
        write_new_files(  # a root is made as a whole or not at all
            NewFile(state / KEY_FILE, secret, 0o600),
            NewFile(state / PUBLIC_KEY_FILE, public, 0o644),
        )
        return state / PUBLIC_KEY_FILE

    @classmethod
    def load(cls, state: Path) -> Self:
        """The root whose key is in the folder `state`; it vouches for this process.

        Raises:
            SonoraError: there is none, it is not a P-256 key, or others may read it.
        """
        path = state / KEY_FILE
        try:
            with path.open("rb") as file:
                # Of the open file: what is at this path could be another one when it is read.
                if os.fstat(file.fileno()).st_mode & 0o077:
                    raise SonoraError(f"{path} may be read by others; chmod 600 it")
                content = file.read(_MAX_KEY_BYTES)
        except FileNotFoundError as error:
            remedy = f"make one with: sonora init --state {state}"
            raise SonoraError(f"no software root key at {path}; {remedy}") from error
        except OSError as error:
            raise SonoraError(
                f"the software root key {path} cannot be read: {error.strerror}"
            ) from error
        try:
            key = serialization.load_pem_private_key(content, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise SonoraError(f"{path} is not a private key in PEM") from None
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
            raise SonoraError(f"{path} is not a P-256 key")
        return cls(
            key,
            measure=lambda: measurement_of(measure_this_process()),
            version=version("veracruz-sonora"),
        )

    def evidence(self, binding: bytes) -> bytes:
        """A PSA token by the root key over `binding`, with the measurement of this process by now.

        Measured anew each time: what was loaded since the last one runs here as well.
        """
        return mint_software_evidence(
            root_key=self._key,
            measurement=self._measure(),
            version=self._version,
            binding=binding,
        )
