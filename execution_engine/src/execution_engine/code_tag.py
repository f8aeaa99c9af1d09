"""What binds compiled code to what it was compiled from.

Compiled code is trusted like our own: the engine loads whatever bytes it is given. So code that is
kept has a MAC over the program, the engine's version and its settings, and is checked before a
byte of it reaches the engine.
"""

import hmac
from typing import Protocol

from execution_engine.strategy import ON, EngineSettings, engine_version
from veracruz_utils.digest import Digest
from veracruz_utils.secret import Secret


class CompiledCode(Protocol):
    """Where `Program.load` looks for compiled code, and leaves it."""

    def find(self, program: Digest, settings: EngineSettings) -> bytes | None:
        """Authentic code of this program, for these settings and this version of the engine."""
        ...

    def keep(self, program: Digest, settings: EngineSettings, code: bytes | bytearray) -> None:
        """Keep code that this process has compiled itself."""
        ...


def code_context(program: Digest, settings: EngineSettings) -> bytes:
    """What the code was compiled from, by and for; of fixed form, so that no two are alike."""
    # The number below changes with this form, so that code kept under an older one is not found.
    features = " ".join(ON)
    return f"veracruz code 4\n{engine_version()}\n{features}\n{settings}\n{program}\n".encode()


def code_tag(key: Secret, context: bytes, code: Digest) -> bytes:
    """What authenticates the code with this digest, compiled in this context: 32 bytes.

    HMAC-SHA-256 over the context and the digest, which is of fixed length.
    """
    return hmac.digest(key.reveal(), context + code.value, "sha256")
