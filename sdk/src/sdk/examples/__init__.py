"""The example programs: what is known of each, their modules, and data to try them on.

`catalogue` describes every example in terms of `model`; nothing else lists them. `programs` has
their modules and `build` makes these from the sources. `named_types` are the types that the
catalogue names, `data_files`, `people` and `policy_template` what a user makes of an example.
"""

from sdk.examples.catalogue import EXAMPLES
from sdk.examples.model import Case, Example, Input, NamedType, Stream, same

__all__ = ["EXAMPLES", "Case", "Example", "Input", "NamedType", "Stream", "same"]
