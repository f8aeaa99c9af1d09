"""What a service counts gets into its audit log while it serves, and when it ends."""

import contextlib
import logging
import threading
from collections.abc import Iterator
from typing import Final

from tabasco.errors import TabascoError
from tabasco.service.attestation import AttestationService

_EVERY_S: Final = 15.0
_log = logging.getLogger(__name__)


@contextlib.contextmanager
def counts_written(service: AttestationService) -> Iterator[None]:
    """Have counted refusals written down now and then, and all of them at the end."""
    over = threading.Event()

    def write(*, all_of_them: bool) -> None:
        try:
            service.write_counts(all_of_them=all_of_them)
        except TabascoError as error:
            _log.warning("counted refusals are not in the audit log: %s", error)

    def keep_writing() -> None:
        while not over.wait(_EVERY_S):
            write(all_of_them=False)

    thread = threading.Thread(target=keep_writing, name="counts", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        write(all_of_them=True)
