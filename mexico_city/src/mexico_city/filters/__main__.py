"""Write the programs of every architecture to where an isolate loads them from."""

from pathlib import Path

import mexico_city.sandbox
from mexico_city.filters import ARCHITECTURES, programs

for machine, architecture in ARCHITECTURES.items():
    folder = Path(mexico_city.sandbox.__path__[0]) / "programs" / machine
    folder.mkdir(parents=True, exist_ok=True)
    for name, program in programs(architecture).items():
        (folder / name).write_bytes(program)
