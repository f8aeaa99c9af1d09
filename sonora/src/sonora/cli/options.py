"""Options that several commands have."""

from pathlib import Path

import click

from veracruz_shells.option_names import NamedOption

state_option = click.option(
    "--state",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("sonora"),
    show_default=True,
    help="Folder of the software root's key.",
)
image_option = click.option(
    "--image",
    "image_path",
    cls=NamedOption,
    type=click.Path(path_type=Path, exists=True),
    envvar="SONORA_IMAGE",
    metavar="FOLDER|FILE",
    help="The runtime image that isolates run from.  [default: the installed release's]",
)
