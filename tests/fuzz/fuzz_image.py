"""A change at every path of the runtime image, of any kind that can be made there, is refused.

Every path has its turn, whatever FUZZ_SECONDS says: that takes some ten minutes.
"""

import random
import sys
import tempfile
from pathlib import Path

from sonora.errors import SonoraError
from sonora.image.local import local_image
from sonora.image.source import RuntimeImage
from sonora.isolates import LinuxLauncher
from support.images import CHANGES, copy_of, restore


def main() -> int:
    image = local_image()
    with tempfile.TemporaryDirectory() as folder:
        copied = copy_of(image, Path(folder) / "image")
        for path, entry in image.manifest.entries.items():
            possible = [make for kinds, make in CHANGES.values() if isinstance(entry, kinds)]
            random.choice(possible)(copied.root / path)
            if not _refused(copied, path):
                sys.stderr.write(f"fuzz_image: started with a change at {path}\n")
                return 1
            restore(image, copied, path)
        LinuxLauncher(copied).close()  # what was put back is what it was
    sys.stdout.write(f"fuzz_image: {len(image.manifest.entries)} changes refused by name\n")
    return 0


def _refused(copied: RuntimeImage, path: str) -> bool:
    try:
        LinuxLauncher(copied).close()
    except SonoraError as error:
        return path in str(error)
    return False


if __name__ == "__main__":
    sys.exit(main())
