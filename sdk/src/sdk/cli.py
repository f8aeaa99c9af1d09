"""The command `veracruz-sdk`; each of its commands is in a module of `sdk.commands`."""

from sdk.commands import adaptation, builds, encoding, examples, projects
from veracruz_shells.console import command_group

__all__ = ["main"]


@command_group(
    "veracruz-sdk",
    distribution="veracruz-sdk",
    help="Write, build and test programs; encode data for them; examples and sample data.",
)
def main() -> None:
    """The command; its help is above."""


for _command in (
    encoding.encode,
    encoding.decode,
    encoding.csv_encode,
    encoding.csv_decode,
    projects.new,
    projects.build,
    builds.check_build,
    projects.test,
    adaptation.adapt,
    examples.types,
    examples.generate,
    examples.list_all,
    examples.policy_template,
    examples.list_examples,
    examples.copy_example,
    examples.build_examples,
    adaptation.build_adapter,
):
    main.add_command(_command)
