"""Everything that runs on the delegate's and the attestation service's side, on this machine.

For demonstrations, notebooks and tests of programs: the root of trust is software, and all parties
trust whoever owns this machine.
"""

import atexit
import shutil
import socket
import tempfile
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import Final, Self

from sonora.doctor import layers_of_this_host
from sonora.evidence.software import SoftwareRoot
from sonora.image.local import local_image
from sonora.image.source import RuntimeImage, find_image, installed_archive
from tabasco.registry.state import StateDirectory
from veracruz.interrupts import undisturbed
from veracruz.services import Service
from veracruz_shells.files import write_new_file
from veracruz_utils.key_files import pem_of
from veracruz_utils.policy import LINUX_SOFTWARE, RUNTIME_LAYERS, Policy


class LocalServices:
    """Tabasco, Sonora and a bridge for each policy, in processes of their own on loopback.

    They end, and their folder goes, with the `with` block, with `stop`, or with this process.

    Attributes:
        folder: what the services keep.
        platform: what a policy calls this kind of isolate.
    """

    platform: Final = LINUX_SOFTWARE

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._stopped = False
        self._bridges = 0
        with undisturbed():
            folder = tempfile.TemporaryDirectory(prefix="veracruz-")
            self.folder = Path(self._stack.enter_context(folder))
        self._root = SoftwareRoot.create(self.folder / "sonora")
        atexit.register(self.stop)

    def start(self) -> Self:
        """Start all of them, but for bridges.

        Raises:
            ServiceError: one did not start.
        """
        try:
            self.start_tabasco()
            self.start_sonora()
        except BaseException:
            self.stop()
            raise
        return self

    def start_tabasco(self) -> str:
        """Start the attestation service; its address.

        Raises:
            ServiceError: it did not start.
        """
        self._tabasco = self._service(
            "tabasco", "serve", "--listen", "127.0.0.1:0",
            "--state", str(self.folder / "tabasco"), "--trust-root", str(self._root),
        )  # fmt: skip
        return self._tabasco.wait_ready()

    def start_sonora(self, image: RuntimeImage | None = None, *, name: str = "sonora") -> Service:
        """Start the root isolate, which enrols with Tabasco.

        Args:
            image: another runtime than `image`.
            name: of its folder; another one for a second Sonora on the same root of trust.

        Raises:
            ServiceError: it did not start.
        """
        state = self.folder / name
        if state != self._root.parent:
            shutil.copytree(self._root.parent, state)
        sonora = self._service(
            "sonora", "serve", "--tabasco", self.tabasco, "--listen", "127.0.0.1:0",
            "--state", str(state), "--socket", f"{name}.sock",
            "--image", str((image or self.image).folder),
        )  # fmt: skip
        sonora.wait_ready()
        return sonora

    def start_bridge(self, policy: Policy, *options: str, sonora: str = "sonora") -> Service:
        """Start the bridge of a policy, on the address that the policy names, and its isolate.

        Args:
            policy: the policy.
            options: more of `sinaloa serve`.
            sonora: the name of the Sonora whose isolate it is.

        Raises:
            ServiceError: it did not start.
        """
        self._bridges += 1
        file = self.folder / f"policy-{self._bridges}.json"
        write_new_file(file, policy.raw, mode=0o644)
        bridge = self._service(
            "sinaloa", "serve", str(file), "--sonora", f"{sonora}.sock", *options
        )
        bridge.wait_ready()
        return bridge

    @property
    def tabasco(self) -> str:
        """The address of the attestation service."""
        return self._tabasco.address

    @property
    def tabasco_key(self) -> str:
        """The public key of the attestation service, in PEM: what everybody compares."""
        return pem_of(StateDirectory(self.folder / "tabasco").result_key().public_key()).decode()

    @cached_property
    def image(self) -> RuntimeImage:
        """The runtime's image: the installed release's, or else one of this installation."""
        return local_image() if installed_archive() is None else find_image()

    @property
    def isolation(self) -> list[str]:
        """The layers of isolation that the runtime brings about on this machine."""
        return sorted(layer.value for layer in RUNTIME_LAYERS & layers_of_this_host())

    def free_address(self) -> str:
        """An address on loopback that nothing listens on now, for the bridge of a new policy."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return f"127.0.0.1:{probe.getsockname()[1]}"

    def stop(self) -> None:
        """End every service and remove the folder, however impatient somebody is; idempotent."""
        while not self._stopped:
            try:
                with undisturbed():
                    self._stack.close()
                    self._stopped = True
                    atexit.unregister(self.stop)
            except KeyboardInterrupt:
                # One that came before interruptions were put off: nothing is stopped yet.
                if self._stopped:
                    raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _service(self, program: str, *arguments: str) -> Service:
        service = Service(program, arguments, cwd=self.folder)
        self._stack.callback(service.stop)  # before there is anything to stop: Ctrl-C may be next
        return service.start()
