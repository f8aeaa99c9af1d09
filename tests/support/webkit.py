"""WebKit, of which Safari is made, as Debian has it, driven on a display of its own."""

import os
import shutil
import subprocess
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.patience import PATIENCE_S

DRIVER = shutil.which("WebKitWebDriver")
DISPLAY = shutil.which("Xvfb")
BROWSERS = sorted(Path("/usr/lib").glob("*/webkit2gtk-4.1/MiniBrowser"))


def missing() -> str:
    """What is not here, and how to have it; empty if all is."""
    if DRIVER and DISPLAY and BROWSERS:
        return ""
    return "there is no WebKitGTK to drive: apt install webkit2gtk-driver xvfb"


@contextmanager
def display() -> Iterator[str]:
    """The name of an X display without a screen."""
    reading, writing = os.pipe()
    command = [str(DISPLAY), "-displayfd", str(writing), "-screen", "0", "1280x1024x24"]
    process = subprocess.Popen(
        [*command, "-nolisten", "tcp"], pass_fds=[writing], stderr=subprocess.DEVNULL
    )
    os.close(writing)
    try:
        with os.fdopen(reading) as told:
            yield f":{told.readline().strip()}"
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


@contextmanager
def webkit() -> Iterator[Any]:
    """A driver of a browser of its own, without a profile."""
    from selenium import webdriver  # noqa: PLC0415 - where it is wanted
    from selenium.webdriver.webkitgtk.options import Options  # noqa: PLC0415
    from selenium.webdriver.webkitgtk.service import Service  # noqa: PLC0415

    options = Options()
    options.binary_location = str(BROWSERS[0])
    options.add_argument("--automation")
    with display() as name:
        environment = {**os.environ, "DISPLAY": name, "NO_AT_BRIDGE": "1", "GDK_BACKEND": "x11"}
        environment.pop("WAYLAND_DISPLAY", None)
        if os.geteuid() == 0:  # as with Chromium: it only sees what these tests show it
            environment["WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS"] = "1"
        service = Service(str(DRIVER), env=environment)
        with warnings.catch_warnings():
            # Selenium's own way to its drivers, which it deprecates.
            warnings.simplefilter("ignore", DeprecationWarning)
            driver = webdriver.WebKitGTK(options=options, service=service)
        try:
            driver.set_script_timeout(PATIENCE_S)
            driver.set_page_load_timeout(PATIENCE_S)
            yield driver
        finally:
            driver.quit()
