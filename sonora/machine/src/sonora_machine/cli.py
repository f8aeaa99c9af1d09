"""`sonora machine`: build a machine image, say what it will measure, try it out.

`sonora` loads this with every command of its own: what is heavy is imported by who needs it.
"""

from veracruz_shells.console import subgroup


@subgroup()
def machine() -> None:
    """Build a machine image, say what platforms will measure of it, try it in an emulator."""
