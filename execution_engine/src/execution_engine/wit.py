"""The world of `world` as a WIT document, for tools that build components."""

from typing import Final

from execution_engine.world import FUNCTIONS, MAIN_TYPE

PACKAGE: Final = "veracruz:guest@0.1.0"


def wit() -> str:
    """The document."""
    functions = [f"  {function.name}: {function.type};" for function in FUNCTIONS.values()]
    world = ["world guest {", "  import host;", f"  export main: {MAIN_TYPE};", "}"]
    return "\n".join(
        [f"package {PACKAGE};", "", "interface host {", *functions, "}", "", *world, ""]
    )
