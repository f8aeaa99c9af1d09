"""The kernel's command line: what every image's kernel is told, our own words, and a user's.

It is measured: whoever pins a machine pins these words. A user's may add to ours and not undo them,
see the kernel's Documentation/admin-guide/kernel-parameters.rst.
"""

import re
from collections.abc import Iterable
from typing import Final

from sonora_machine.errors import MachineError

_FIXED: Final = (
    "console=ttyS0 loglevel=4 panic=-1 oops=panic lockdown=confidentiality module.sig_enforce=1"
)
_WORDS: Final = re.compile(r"[\x21-\x7e]+( [\x21-\x7e]+)*")
_MAX: Final = 2047  # bytes, COMMAND_LINE_SIZE of x86 less its end
_OWN: Final = "veracruz."
_FORBIDDEN: Final = {
    "--": "what follows it is for the first process, which takes no words",
    "console": "the machine speaks on its serial console, and whoever tries it out listens there",
    "init": "the image's first process is the one in it",
    "initrd": "the machine's files are those in the image, and measured",
    "lockdown": "the kernel is locked down against root in the machine",
    "lsm": "what walls isolates in is chosen by the kernel's own list",
    "mem_encrypt": "memory is encrypted where the platform can",
    "mitigations": "what processors leak is held back",
    "module.sig_enforce": "modules need Debian's signature",
    "oops": "a kernel that stumbled is not gone on with",
    "panic": "a machine that cannot go on ends",
    "rdinit": "the image's first process is the one in it",
    "security": "what walls isolates in is chosen by the kernel's own list",
}
"""Words that would undo what the image is, by name, and why each is not taken."""


def command_line(
    options: Iterable[str], *, evidence: str, address: str, tabasco: str | None
) -> str:
    """The command line of an image.

    Args:
        options: a user's words for the kernel.
        evidence: what vouches for the machine.
        address: of its network.
        tabasco: the attestation service, `HOST:PORT`; None to leave it to the emulator.

    Raises:
        MachineError: an option is no word, or undoes what is said besides; or all are too long.
    """
    for option in options:
        _require_harmless(option)
    words = [_FIXED, *options, f"{_OWN}evidence={evidence}", f"{_OWN}address={address}"]
    if tabasco is not None:
        words.append(f"{_OWN}tabasco={tabasco}")
    line = " ".join(words)
    if len(line) > _MAX:
        raise MachineError(f"the command line has {len(line)} bytes, and the kernel takes {_MAX}")
    return line


def _require_harmless(option: str) -> None:
    if not _WORDS.fullmatch(option):
        raise MachineError(
            f"--kernel-option {option!r}: words are of printable ASCII characters, with single"
            " spaces between them"
        )
    for word in option.split(" "):
        # The kernel takes quotation marks off, and - for _, but not in `--` itself.
        plain = word.replace('"', "").partition("=")[0]
        name = plain if plain == "--" else plain.replace("-", "_")
        if name.startswith(_OWN):
            raise MachineError(
                f"--kernel-option {word}: {_OWN}… are the image's own words, see --evidence,"
                " --address and --tabasco"
            )
        if name in _FORBIDDEN:
            raise MachineError(f"--kernel-option {word} is not taken: {_FORBIDDEN[name]}")
