"""What firmware measures of a program that it starts: its Authenticode digest.

All of the file but the checksum, the entry of the certificate table and the certificates: a
signature is part of what it would sign. Sections are hashed in the order in which they lie in the
file; what lies behind them after that. Between sections there may be holes: as in firmware (EDK II,
`DxeTpm2MeasureBootLib`), as many bytes are taken from the end as were not hashed so far.

Standard: Windows Authenticode Portable Executable Signature Format 1.0, "Calculating the PE Image
Hash"; TCG PC Client Platform Firmware Profile 1.06, §2.3.4.
"""

import hashlib
from typing import Literal

from sonora_machine.uki.pe import PeFile

HashName = Literal["sha256", "sha384", "sha512"]


def authenticode_digest(
    data: bytes | memoryview, *, algorithm: HashName = "sha256", what: str = "file"
) -> bytes:
    """The Authenticode digest of a PE file.

    Args:
        data: the whole file.
        algorithm: SHA-256 is for a TPM's SHA-256 bank, SHA-384 for a TDX machine.
        what: for the error, such as `kernel`.

    Raises:
        ImageFormatError: it is no PE file.
    """
    pe = PeFile.parse(data, what=what)
    view = memoryview(data)
    digest = hashlib.new(algorithm)
    digest.update(view[: pe.checksum])
    if pe.certificate_entry is None:
        digest.update(view[pe.checksum + 4 : pe.headers_size])
    else:
        digest.update(view[pe.checksum + 4 : pe.certificate_entry])
        digest.update(view[pe.certificate_entry + 8 : pe.headers_size])
    hashed = pe.headers_size
    for each in sorted(pe.sections, key=lambda each: each.offset):
        digest.update(view[each.offset : each.offset + each.raw_size])
        hashed += each.raw_size
    digest.update(view[hashed : max(hashed, pe.file_size - pe.certificates[1])])
    return digest.digest()
