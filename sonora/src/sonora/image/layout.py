"""Where things are in an image.

usr/bin/python3.11                  the interpreter
usr/lib/*.so*                       the dynamic loader and every library, by the name it is
needed by
usr/lib/python3.11/                 the modules of the standard library that are loaded
usr/lib/python3.11/site-packages/   ours, and those of others; each with its compiled form
"""

import re
from typing import Final, Self

from sonora.errors import SonoraError
from veracruz_image import ImageFile, ImageFolder, Manifest
from veracruz_utils.frozen import frozen

LIBRARIES: Final = "usr/lib"
_PYTHON: Final = re.compile(r"usr/bin/(python3\.\d{1,3})")
_LOADER: Final = re.compile(r"usr/lib/ld-[a-z0-9_-]+\.so\.\d")


@frozen
class ImageLayout:
    """What is started of an image.

    Attributes:
        python: the interpreter.
        loader: the dynamic loader.
        packages: the folder with the modules that are not of the standard library.
    """

    python: str
    loader: str
    packages: str

    @classmethod
    def of(cls, manifest: Manifest) -> Self:
        """Where they are in the image of this manifest.

        Raises:
            SonoraError: one of them is not there, or twice.
        """
        files = [path for path, each in manifest.entries.items() if isinstance(each, ImageFile)]
        folders = [path for path, each in manifest.entries.items() if isinstance(each, ImageFolder)]
        pythons = [path for path in files if _PYTHON.fullmatch(path)]
        loaders = [path for path in files if _LOADER.fullmatch(path)]
        packages = [path for path in folders if path.endswith("/site-packages")]
        if not len(pythons) == len(loaders) == len(packages) == 1:
            raise SonoraError("the image has not one interpreter, loader and folder of packages")
        return cls(pythons[0], loaders[0], packages[0])

    def command(self, prefix: str, code: str, *arguments: str) -> list[str]:
        """What executes `code` by the image's interpreter.

        Args:
            prefix: where the image's root is; empty when it is the root of everything.
            code: a program in Python; the first argument is the folder of packages.
            arguments: the rest of its arguments.
        """
        return [
            f"{prefix}/{self.loader}",
            # No library but those of the image, even where it is not the root of everything.
            "--inhibit-cache",
            "--library-path",
            f"{prefix}/{LIBRARIES}",
            f"{prefix}/{self.python}",
            "-I",  # no environment variables, no user packages, no working directory
            "-S",  # no .pth files
            "-B",
            "-c",
            f"import sys; sys.path.append(sys.argv[1]); {code}",
            f"{prefix}/{self.packages}",
            *arguments,
        ]
