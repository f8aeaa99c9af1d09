"""The `sonora` command: make a root, measure the runtime, serve bridges."""

from importlib.metadata import entry_points
from typing import Final

from sonora.image.commands import image
from sonora.process import protect_this_process
from veracruz_shells.settings import service_group

__all__ = ["main"]
_HOST: Final = "sonora.cli.host"


@service_group(
    "sonora",
    distribution="veracruz-sonora",
    help="Measure, launch and vouch for the runtimes of Veracruz on this machine.",
)
def main() -> None:
    """Be the group of the commands below."""
    # Of all commands, and before any of them reads a key.
    protect_this_process()


main.elsewhere = {
    "doctor": (
        f"{_HOST}:doctor",
        "Say which layers of isolation this host gives, and what else Sonora needs.",
    ),
    "init": (f"{_HOST}:init", "Make the key of a software root of trust."),
    "measure": (
        f"{_HOST}:measure",
        "Print the measurement of the runtime image, which policies pin.",
    ),
    "serve": (
        "sonora.cli.serve:serve",
        "Enrol with Tabasco, then launch and vouch for isolates until SIGTERM.",
    ),
}
main.add_command(image)
for _found in entry_points(group="sonora.commands"):
    # Of distributions of their own: `machine`.
    main.add_command(_found.load())
