"""Intel SGX and TDX."""
