"""Stand-ins for the kernel and LibOS interfaces of attestation, faithful to how those behave.

There is no hardware here: what these sign is made with keys of our own, or was recorded.
"""

import errno
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

from sonora.evidence.base import EvidenceUnavailableError
from support import tpm_quotes

Report = Callable[[bytes], bytes]


def refused(path, number):
    return EvidenceUnavailableError(f"{path}: {os.strerror(number)}")


@dataclass
class FakeTsm:
    """configfs-tsm: a folder is a request, a write of `inblob` counts up its `generation`."""

    report: Report
    provider: str
    auxiliary: bytes = b""
    folder: Path = Path("/sys/kernel/config/tsm/report")
    requests: dict[Path, dict] = field(default_factory=dict)
    interfering: bool = False
    left: list[Path] = field(default_factory=list)

    def make_folder(self, path):
        assert path.parent == self.folder
        if path in self.requests:
            raise refused(path, errno.EEXIST)
        self.requests[path] = {"generation": 0, "inblob": None}

    def remove_folder(self, path):
        del self.requests[path]
        self.left.append(path)

    def write(self, path, data):
        request = self._request(path)
        if path.name != "inblob":
            raise refused(path, errno.EACCES)
        if not 0 < len(data) <= 64:
            raise refused(path, errno.EINVAL)
        request["inblob"] = data
        request["generation"] += 2 if self.interfering else 1

    def read(self, path):
        request = self._request(path)
        if path.name == "provider":
            return f"{self.provider}\n".encode()
        if path.name == "generation":
            return f"{request['generation']}\n".encode()
        if request["inblob"] is None:
            raise refused(path, errno.EINVAL)
        if path.name == "auxblob":
            return self.auxiliary
        assert path.name == "outblob"
        return self.report(request["inblob"])

    def _request(self, path):
        if path.parent not in self.requests:
            raise refused(path, errno.ENOENT)
        return self.requests[path.parent]


@dataclass
class FakeGramine:
    """Gramine's /dev/attestation, of one enclave."""

    quote: Report
    attestation_type: str = "dcap"
    sealing_key: bytes = b"s" * 16
    folder: Path = Path("/dev/attestation")
    written: dict[str, bytes] = field(default_factory=dict)

    def write(self, path, data):
        if path != self.folder / "user_report_data":
            raise refused(path, errno.EACCES)
        if len(data) != 64:
            raise refused(path, errno.EINVAL)
        self.written[path.name] = data

    def read(self, path):
        if path == self.folder / "keys" / "_sgx_mrenclave" and self.sealing_key:
            return self.sealing_key
        if path.parent != self.folder:
            raise refused(path, errno.ENOENT)
        data = self.written.get("user_report_data", bytes(64))
        if path.name == "attestation_type":
            return self.attestation_type.encode()
        if path.name == "quote":
            return self.quote(data)
        raise refused(path, errno.ENOENT)

    def make_folder(self, path):
        raise refused(path, errno.EPERM)

    remove_folder = make_folder


@dataclass
class FakeNsm:
    """The Nitro Secure Module: CBOR in, CBOR out, by a library that is not ours."""

    document: Report
    error: str | None = None
    asked: list = field(default_factory=list)

    def __call__(self, request):
        wanted = cbor2.loads(request)
        self.asked.append(wanted)
        if self.error:
            return cbor2.dumps({"Error": self.error})
        if wanted == "DescribeNSM":
            return cbor2.dumps({"DescribeNSM": {"module_id": "i-1", "max_pcrs": 32}})
        attestation = wanted["Attestation"]
        assert set(attestation) == {"user_data", "nonce", "public_key"}
        return cbor2.dumps({"Attestation": {"document": self.document(attestation["user_data"])}})


@dataclass
class FakeTpm:
    """A TPM 2.0 with one attestation key on P-256 and no certificate, packed by `struct`."""

    handle: int = 0x81010002
    key: ec.EllipticCurvePrivateKey = tpm_quotes.EC_KEY
    code: int = 0
    cut: int = 0
    changed: dict[int, bytes] = field(default_factory=dict)

    def __call__(self, command):
        tag, size, code = struct.unpack_from(">HII", command)
        assert size == len(command)
        body = command[10:]
        if self.code:
            return struct.pack(">HII", 0x8001, 10, self.code)
        known = {0x173: self._read_public, 0x158: self._quote, 0x17E: self._read}
        if code not in known:
            return struct.pack(">HII", 0x8001, 10, 0x143)  # TPM_RC_COMMAND_CODE
        answer = known[code](tag, body)
        return answer[: len(answer) - self.cut] if self.cut else answer

    def registers(self):
        return {index: bytes([index]) * 32 for index in range(24)} | self.changed

    def _read_public(self, tag, body):
        assert tag == 0x8001
        if struct.unpack(">I", body) != (self.handle,):
            return struct.pack(">HII", 0x8001, 10, 0x18B)  # TPM_RC_HANDLE
        numbers = self.key.public_key().public_numbers()
        public = (
            struct.pack(">HHI", 0x23, 0x0B, 0x50072) + tpm_quotes.sized(b"")
            + struct.pack(">H", 0x10)  # symmetric: none
            + struct.pack(">HH", 0x18, 0x0B)  # scheme: ECDSA with SHA-256
            + struct.pack(">H", 3) + struct.pack(">H", 0x10)  # P-256, no derivation
            + tpm_quotes.sized(numbers.x.to_bytes(32)) + tpm_quotes.sized(numbers.y.to_bytes(32))
        )  # fmt: skip
        rest = tpm_quotes.sized(public) + tpm_quotes.sized(b"name") + tpm_quotes.sized(b"qualified")
        return struct.pack(">HII", 0x8001, 10 + len(rest), 0) + rest

    def _quote(self, tag, body):
        assert tag == 0x8002
        handle, size = struct.unpack_from(">II", body)
        assert (handle, size) == (self.handle, 9)
        at = 8 + size
        (length,) = struct.unpack_from(">H", body, at)
        extra = body[at + 2 : at + 2 + length]
        if length > 34:  # a TPM2B_DATA is as large as a TPMT_HA, here of SHA-256
            return struct.pack(">HII", 0x8001, 10, 0x1D5)  # TPM_RC_SIZE
        assert struct.unpack_from(">H", body, at + 2 + length) == (0x10,)
        recipe = tpm_quotes.Recipe(extra_data=extra, registers={"sha256": self.registers()})
        message = recipe.message()
        r, s = utils.decode_dss_signature(self.key.sign(message, ec.ECDSA(hashes.SHA256())))
        signature = struct.pack(">HH", 0x18, 0x0B) + b"".join(
            tpm_quotes.sized(each.to_bytes(32)) for each in (r, s)
        )
        parameters = tpm_quotes.sized(message) + signature
        rest = struct.pack(">I", len(parameters)) + parameters + struct.pack(">HBH", 0, 0, 0)
        return struct.pack(">HII", 0x8002, 10 + len(rest), 0) + rest

    def _read(self, tag, body):
        """PCR_Read: at most eight of what is asked for."""
        assert tag == 0x8001
        count, bank, size = struct.unpack_from(">IHB", body)
        assert (count, bank, size) == (1, 0x0B, 3)
        bits = int.from_bytes(body[7:10], "little")
        given = [index for index in range(24) if bits >> index & 1][:8]
        rest = struct.pack(">I", 7) + struct.pack(">I", 1) + tpm_quotes.selection("sha256", given)
        rest += struct.pack(">I", len(given))
        rest += b"".join(tpm_quotes.sized(self.registers()[index]) for index in given)
        return struct.pack(">HII", 0x8001, 10 + len(rest), 0) + rest
