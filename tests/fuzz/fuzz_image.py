"""A change at each path of the runtime image, of any kind that can be made there, is refused.

The paths come in an order that the seed decides; all of them take some ten minutes, so that
FUZZ_SECONDS=1200 tries every one.
"""

import os
import secrets
import sys
import tempfile
from functools import partial
from pathlib import Path
from random import Random

from sonora.errors import SonoraError
from sonora.image.local import local_image
from sonora.image.source import RuntimeImage
from sonora.linux_launcher import LinuxLauncher
from support.fuzzing import run
from support.images import CHANGES, copy_of, restore

IMAGE = local_image()
PATHS = sorted(IMAGE.manifest.entries)
Random(os.environ.setdefault("FUZZ_SEED", secrets.token_hex(4))).shuffle(PATHS)


def prepare(copied: RuntimeImage):
    def case(random: Random, number: int) -> str:
        path = PATHS[number]
        entry = IMAGE.manifest.entries[path]
        possible = {
            name: make for name, (kinds, make) in CHANGES.items() if isinstance(entry, kinds)
        }
        name = random.choice(sorted(possible))
        possible[name](copied.root / path)
        assert _refused(copied, path), f"started with {name} at {path}"
        restore(IMAGE, copied, path)
        return name

    return case


def _refused(copied: RuntimeImage, path: str) -> bool:
    try:
        LinuxLauncher(copied).close()
    except SonoraError as error:
        return path in str(error)
    return False


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        copied = copy_of(IMAGE, Path(folder) / "image")
        LinuxLauncher(copied).close()  # as it is, it is started
        return run("fuzz_image", partial(prepare, copied), cases=len(PATHS), memory_bytes=None)


if __name__ == "__main__":
    sys.exit(main())
