"""Runs WebAssembly programs against the eleven Veracruz host calls."""
