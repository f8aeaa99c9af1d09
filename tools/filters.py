"""Write the programs that filter an isolate's system calls, for every architecture."""

import sys
from pathlib import Path

from mexico_city.filters import ARCHITECTURES, programs


def main() -> None:
    """Write them below the folder that is given."""
    for machine, architecture in ARCHITECTURES.items():
        folder = Path(sys.argv[1]) / machine
        folder.mkdir(parents=True, exist_ok=True)
        for name, program in programs(architecture).items():
            (folder / name).write_bytes(program)


if __name__ == "__main__":
    main()
