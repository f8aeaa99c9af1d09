"""Make the vectors beside this file: start images, and write down what the TPM holds then.

python make_vectors.py KERNEL STUB_OF_252 STUB_OF_257

Needs Debian's qemu-system-x86, ovmf, swtpm, swtpm-tools and gcc; takes a minute.
"""

import base64
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from sonora_machine.uki import UnifiedImage, authenticode_digest, write_uki

HERE = Path(__file__).parent
OVMF = Path("/usr/share/OVMF")
LINKER = "-Wl,--build-id=none,-z,norelro,-z,noseparate-code,-n,--no-warn-rwx-segments"
FLAGS = (
    "-Os -static -nostdlib -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables "
    f"-fno-pie -no-pie -s {LINKER}"
).split()
QEMU = (
    "qemu-system-x86_64 -nodefaults -no-user-config -machine q35,smm=off -accel tcg "
    "-cpu Nehalem,+rdrand -m 512 -display none -no-reboot -serial file:serial -monitor none "
    "-chardev socket,id=tpm,path=swtpm -tpmdev emulator,id=tpm0,chardev=tpm "
    "-device tpm-crb,tpmdev=tpm0 "
    f"-drive if=pflash,format=raw,unit=0,readonly=on,file={OVMF}/OVMF_CODE_4M.fd "
    "-drive if=pflash,format=raw,unit=1,file=vars "
    "-drive if=none,id=esp,format=raw,read-only=on,file=fat:esp "
    "-device virtio-blk-pci,drive=esp,bootindex=0"
).split()


def entry(name: str, mode: int, content: bytes) -> bytes:
    """One file of a cpio archive."""
    path = name.encode() + b"\0"
    fields = (1, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(path), 0)
    head = b"070701" + "".join(f"{each:08x}" for each in fields).encode() + path
    return head + bytes(-len(head) % 4) + content + bytes(-len(content) % 4)


def archive(*entries: bytes) -> bytes:
    """A cpio archive."""
    return b"".join(entries) + entry("TRAILER!!!", 0, b"")


def started(image: bytes, added: tuple[str, ...]) -> tuple[dict[str, str], bytes]:
    """The registers and the event log after this image was started, with what a host adds."""
    with tempfile.TemporaryDirectory() as folder:
        boot = Path(folder, "esp/EFI/BOOT")
        boot.mkdir(parents=True)
        (boot / "BOOTX64.EFI").write_bytes(image)
        shutil.copy(OVMF / "OVMF_VARS_4M.fd", Path(folder, "vars"))
        state = ["--tpmstate", "."]
        setup = ["swtpm_setup", "--tpm2", *state, "--pcr-banks", "sha256"]
        subprocess.run(setup, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        socket = ["--tpmstate", "dir=.", "--ctrl", "type=unixio,path=swtpm"]
        with subprocess.Popen(
            ["swtpm", "socket", "--tpm2", *socket, "--flags", "startup-clear"], cwd=folder
        ):
            while not Path(folder, "swtpm").exists():
                pass
            subprocess.run([*QEMU, *added], cwd=folder, check=True, timeout=300)
        told = Path(folder, "serial").read_text(errors="replace")
    pcrs = re.findall(r"PCR (\d\d) ([0-9A-F]{64})", told)
    log = bytes.fromhex("".join(re.findall(r"LOG ([0-9a-f]+)", told)))
    return {f"pcr{int(number)}": value.lower() for number, value in pcrs}, log


def vector(stub: bytes, parts: dict[str, bytes], *added: str) -> dict[str, object]:
    """What is written down of an image, which is all of it but the two large programs."""
    image = write_uki(stub, parts)
    registers, log = started(image, added)
    found = UnifiedImage.parse(image)
    small = {name: bytes(part) for name, part in found.parts.items() if name != ".linux"}
    return {
        "stub": found.stub,
        "generation": found.generation,
        "image": authenticode_digest(image).hex(),
        "kernel": authenticode_digest(parts[".linux"]).hex(),
        "linux": hashlib.sha256(parts[".linux"]).hexdigest(),
        "parts": {name: base64.b64encode(part).decode() for name, part in small.items()},
        "registers": {f"pcr{number}": registers[f"pcr{number}"] for number in (4, 9, 11, 12)},
        "log": base64.b64encode(log).decode(),
    }


def main() -> None:
    """Make all of them."""
    kernel, *stubs = (Path(each).read_bytes() for each in sys.argv[1:])
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder, "init")
        subprocess.run(["gcc", *FLAGS, "-o", program, HERE / "init.c"], check=True)
        initramfs = archive(entry("init", 0o100755, program.read_bytes())) + b"odd"
    plain = {
        ".osrel": b'ID=veracruz\nNAME="Veracruz"\n',
        ".cmdline": b"console=ttyS0 quiet panic=-1",
        ".uname": b"6.12.117+deb13-cloud-amd64",
        ".linux": kernel,
        ".initrd": initramfs,
    }
    more = plain | {
        ".cmdline": b"console=ttyS0 quiet panic=-1 \n",
        ".pcrpkey": b"-----BEGIN PUBLIC KEY-----\n",
        ".pcrsig": b"{}",
        ".ucode": archive(entry("kernel", 0o040755, b"")),
    }
    del more[".uname"]  # the older stub has no room for all
    adds = "type=11,value=io.systemd.stub.kernel-cmdline-extra=added-by-the-host"
    for generation, stub in zip((252, 257), stubs, strict=True):
        write(generation, "plain", vector(stub, plain))
        write(generation, "more-parts", vector(stub, more))
        if generation > 252:
            write(generation, "host-adds", vector(stub, plain, "-smbios", adds))


def write(generation: int, name: str, recorded: dict[str, object]) -> None:
    """Write what was recorded of an image with a stub of this generation."""
    text = json.dumps(recorded, indent=1)
    (HERE / f"systemd-{generation}-{name}.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
