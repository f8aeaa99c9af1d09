"""Certifies that a WebAssembly module assumes only the Veracruz ABI."""
