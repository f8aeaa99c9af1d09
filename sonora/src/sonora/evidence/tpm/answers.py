"""What a TPM says, read from the front; and the few ways in which what it is told is written."""

from typing import Final

from sonora.evidence.base import EvidenceUnavailableError

_REMEDIES: Final = {
    0x101: "it failed its self-test or is in failure mode: restart the machine",
    0x902: "it has no room for another object: use /dev/tpmrm0, or tpm2_flushcontext -t",
    0x903: "it has no room for another session: use /dev/tpmrm0, or tpm2_flushcontext -l",
    0x921: "it is locked out after wrong passwords: tpm2_dictionarylockout -c",
    0x120: "this command is disabled, as is the hierarchy it works in perhaps",
    0x8B: "there is nothing of this handle",
    0x8E: "the password of the key or the hierarchy is not empty",
    0xA2: "the password of the key or the hierarchy is not empty",
    0x85: "the hierarchy is disabled",
    0x9F: "the secret was made for another key",
}
_FORMAT_ONE: Final = 0x80


class TpmError(EvidenceUnavailableError):
    """The TPM answers with an error; `code` is its TPM_RC."""

    def __init__(self, code: int) -> None:
        # Part 2, 6.6.2: a format-one code has the number of what it is about in other bits.
        bare = code & 0xBF if code & _FORMAT_ONE else code
        meaning = f": {_REMEDIES[bare]}" if bare in _REMEDIES else ""
        super().__init__(f"the TPM answers with error {code:#x}{meaning}")
        self.code = code


class TpmAnswer:
    """An answer, or a structure in one; numbers are big-endian.

    Every method raises `EvidenceUnavailableError` where the bytes are not enough.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._end = len(data)

    def header(self) -> None:
        """The tag, the size and the code, which has to be that of success.

        Raises:
            TpmError: it is another.
        """
        self.take(2)
        if self.number(4) != len(self._data):
            raise EvidenceUnavailableError("the TPM's answer is too short")
        if (code := self.number(4)) != 0:
            raise TpmError(code)

    def begin_parameters(self) -> None:
        """The size of the parameters; sessions follow them."""
        self._end = self.number(4) + self._at

    def rest_of_parameters(self) -> bytes:
        """All parameters from here on."""
        return self.take(self._end - self._at)

    def take(self, size: int) -> bytes:
        """So many bytes."""
        taken = self._data[self._at : self._at + size]
        if size < 0 or len(taken) != size:
            raise EvidenceUnavailableError("the TPM's answer is too short")
        self._at += size
        return taken

    def number(self, size: int) -> int:
        """A number of so many bytes."""
        return int.from_bytes(self.take(size))

    def sized(self) -> bytes:
        """A TPM2B."""
        return self.take(self.number(2))


def code_of(answer: bytes) -> int:
    """The code of an answer."""
    return int.from_bytes(answer[6:10])


def sized(data: bytes) -> bytes:
    """A TPM2B: two bytes of length before the bytes."""
    return u16(len(data)) + data


def u16(value: int) -> bytes:
    """A number of two bytes."""
    return value.to_bytes(2)


def u32(value: int) -> bytes:
    """A number of four bytes."""
    return value.to_bytes(4)
