"""A guest that was taken over and takes no descriptor stops nobody else of the same user."""

import contextlib
import shutil
import subprocess
from pathlib import Path

from sonora.image.local import local_image
from support.in_flight import others_go_on
from support.isolate_rig import RigMaker
from support.users import STRANGER, everybodys_python, needs_root, open_folder, with_paths

_AS_STRANGER = """
import resource
from pathlib import Path
from sonora.image.source import find_image
from support.in_flight import a_launch_fails_alone, others_go_on
from support.isolate_rig import RigMaker
_, most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (min(1024, most), most))
maker = RigMaker(find_image(Path(sys.argv[1])))
others_go_on(maker)
print(a_launch_fails_alone(maker))
maker.close()
"""


def test_a_guest_that_takes_no_input_stops_no_other_isolate():
    with contextlib.closing(RigMaker()) as maker:
        others_go_on(maker)


@needs_root
def test_nor_does_it_where_sonora_has_no_privileges_and_the_usual_limit():
    """Root may have any number in flight, its isolates in their namespaces may not."""
    tests = str(Path(__file__).parent.parent)
    with open_folder() as folder:
        shutil.copytree(local_image().folder, folder / "image", symlinks=True)
        (folder / "image").chmod(0o755)
        ran = subprocess.run(
            [everybodys_python(), "-c", with_paths(tests) + _AS_STRANGER, str(folder / "image")],
            user=STRANGER, group=STRANGER, extra_groups=[], capture_output=True, text=True,
            check=False, env={}, cwd="/",
        )  # fmt: skip
        expected = "not launched: 0 descriptors came, 1 were announced\n"
        assert ran.stdout == expected, ran.stderr[-2000:]
