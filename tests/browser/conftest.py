"""Two principals, each with a page of its own in a real browser, and everything real behind it.

`make browser` runs these tests, with Debian's Chromium; pictures of every view are in
`build/screenshots` afterwards.
"""

import os
import shutil
import subprocess
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest

from durango import Identity
from sdk.examples import EXAMPLES, programs
from sdk.examples.people import generate_people, people_csv
from support.patience import PATIENCE_S
from support.stack import DATA, DAY, PI, RESULT, SCRIPTS, Stack, new_party, runtime_layers_here
from veracruz_utils.address import Address
from veracruz_utils.digest import Digest
from veracruz_utils.policy import (
    LINUX_SOFTWARE,
    TLS_1_3_SUITES,
    AcceptedPlatform,
    PolicyIdentity,
    Strategy,
)
from veracruz_utils.policy.rendering import render_policy

PROGRAM = "private-set-intersection"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"


def pytest_collection_modifyitems(items):
    """Skip all of these by name where there is nothing to run them with."""
    if "VERACRUZ_BROWSER" not in os.environ:
        reason = "see `make browser`"
    elif CHROMIUM is None:
        reason = "there is no Chromium: apt install chromium"
    else:
        return
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=reason))


class Party:
    """A principal at its page.

    Attributes:
        page: of Playwright.
        origin: where the page is.
        folder: its files.
        said: what the browser had to complain of.
    """

    def __init__(self, page, link: str, folder: Path) -> None:
        self.page, self.folder = page, folder
        self.origin = link.partition("/#")[0]
        self.said: list[str] = []
        page.set_default_timeout(PATIENCE_S * 1000)
        page.on("console", lambda message: self.said.append(f"{message.text} {message.location}"))
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("dialog", lambda dialog: dialog.accept())
        page.goto(link)
        self.wait_for(".standing.good")

    def wait_for(self, what: str):
        found = self.page.locator(what).first
        found.wait_for()
        return found

    def go(self, name: str, what: str = ".card") -> None:
        """Open a view by its link in the page's head, and wait until this is in it."""
        self.page.locator(f'nav a[href="/{name}"]').click()
        self.page.locator(f'nav a[href="/{name}"][aria-current="page"]').wait_for()
        self.wait_for(what)

    def press(self, words: str) -> None:
        self.page.get_by_role("button", name=words).first.click()

    def choose(self, file: Path) -> None:
        self.page.locator("input[type=file]").first.set_input_files(file)
        self.press("Check this file")
        self.page.get_by_role("button", name="Send it").wait_for()

    def picture(self, name: str) -> None:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)


def policy_of(stack: Stack, clinic: Identity, office: Identity) -> bytes:
    """The clinic gives the program and a list, the office a list, and reads."""
    now, kind = datetime.now(UTC), str(EXAMPLES[PROGRAM].result)
    return render_policy(
        at=now,
        identities=[
            PolicyIdentity(0, clinic.certificate, frozenset({PI, DATA}), "Klinikum Süd"),
            PolicyIdentity(1, office.certificate, frozenset({DATA, RESULT}), "Registry Office"),
        ],
        sinaloa=Address("127.0.0.1", 3011),
        tabasco=stack.tabasco_address,
        tabasco_key=stack.tabasco_key,
        expires_at=now + DAY,
        ciphersuite=TLS_1_3_SUITES[0],
        platforms=[AcceptedPlatform(LINUX_SOFTWARE, frozenset({stack.measurement}))],
        data_provision_order=[0, 1],
        program_digest=Digest.of(programs.load(PROGRAM)),
        strategy=Strategy.JIT,
        isolation=runtime_layers_here(),
        terms={
            "inputs": [{"name": "patients", "type": kind}, {"name": "residents", "type": kind}],
            "result": {"type": kind},
            "consent": "all",
        },
    )


@pytest.fixture(scope="session")
def chromium():
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - where it is wanted

    with sync_playwright() as playwright:
        # As root there is no sandbox of Chromium's: it only sees what these tests show it.
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def parties(chromium, tmp_path_factory):
    """The clinic and the office, each at its page, before anything is done."""
    with ExitStack() as stack_of_all:
        stack = Stack(tmp_path_factory.mktemp("veracruz"))
        stack_of_all.callback(stack.close)
        clinic, office = new_party("clinic"), new_party("office")
        computation = stack_of_all.enter_context(
            stack.serving(policy_of(stack, clinic, office), [clinic, office], b"")
        )
        lists = generate_people(seed=1, size=400, overlap=120)
        found = []
        for number, people in enumerate(lists):
            folder = tmp_path_factory.mktemp("party")
            folder.joinpath("people.csv").write_text(people_csv(people))
            folder.joinpath("program.wasm").write_bytes(programs.load(PROGRAM))
            words = [computation.policy_file, "--sinaloa", computation.address]
            process = subprocess.Popen(
                [SCRIPTS / "durango", "ui", *map(str, [*words, *computation.who(number)])],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            stack_of_all.callback(_end, process)
            context = chromium.new_context(locale="en-GB", viewport={"width": 1000, "height": 800})
            stack_of_all.callback(context.close)
            found.append(Party(context.new_page(), process.stdout.readline().strip(), folder))
        yield found


def _end(process: "subprocess.Popen[str]") -> None:
    process.terminate()
    process.communicate(timeout=PATIENCE_S)
