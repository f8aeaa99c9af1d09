"""Runs WebAssembly programs against the eleven Veracruz host calls.

Names are imported from the modules that have them. Where a program runs, these are loaded:
`compiled_program` and what it is made of, `abi` and `world` (what a guest may assume), `limits`,
`errors`. Tools that hold no isolate have more: `program` (a run that ends at its deadline),
`code_cache`, `trace`, and `wasm`, which reads all of a module.
"""

__all__: list[str] = []
