"""From sources to modules: the compilers of each language, how they are run, what they are given.

`tool` runs a compiler. `zig` (C, C++ and Zig), `rust`, `cargo`, `assemblyscript` and `python` each
build guests in their language; `found` finds compilers that the author installed,
`fetched` gets sources of others, and `sources` finds those that the SDK ships.
"""
