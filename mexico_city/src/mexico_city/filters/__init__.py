"""The filters of system calls that an isolate loads: made here, and never in an isolate.

`rules` says which calls pass, `numbers` what each is called by on an architecture, `assembler`
makes the program for the kernel. `make filters` writes these to `sandbox/programs`, from where
`mexico_city.sandbox.seccomp` loads them.
"""

from mexico_city.filters.numbers import ARCHITECTURES
from mexico_city.filters.rules import PROCESS, programs

__all__ = ["ARCHITECTURES", "PROCESS", "programs"]
