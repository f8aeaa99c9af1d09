"""An image is started by root and by others, and where the kernel makes no namespaces."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from sonora.image.processes import search_path
from support.patience import PATIENCE_S
from support.users import SONORA, everybodys_python, needs_root, open_folder
from veracruz_utils.policy import IsolationLayer

COMPUTE = """
import json, os, sys, tempfile
from pathlib import Path
folder, forbidden = sys.argv[1], sys.argv[2] == "forbidden"
sys.path[:0] = sys.argv[3].split(":")
tempfile.tempdir = sys.argv[4]
from sonora.image.source import find_image
from support.isolate_rig import RigMaker
from support.no_namespaces import forbid_namespaces
from support.runtime_guests import HELLO
from veracruz_utils.policy import Role
if forbidden:
    forbid_namespaces()
image = find_image(Path(folder))
maker = RigMaker(image)
zygote = Path(f"/proc/{maker.launcher.zygote.process.pid}")
status = (zygote / "status").read_text()
told = {"uid": status.split("Uid:")[1].split()[0], "layers": [], "left": os.listdir(sys.argv[4])}
try:
    lines = [each.split(maxsplit=5) for each in (zygote / "maps").read_text().splitlines()]
    told["mapped"] = sorted({each[5] for each in lines if "x" in each[1] and "/" in each[-1]})
except PermissionError:
    pass
roles = [Role.PI_PROVIDER, Role.RESULT_READER]
with maker.computation([roles], program=HELLO) as rig, rig.session(0) as caller:
    caller.program(HELLO)
    told["result"] = caller.result()[1].decode()
    told["layers"] = sorted(rig.isolate.layers)
maker.close()
print(json.dumps(told))
"""


def compute(image, *, user=None, forbidden=False, python=sys.executable):
    """What a process with a launcher of its own tells of the zygote and of a computation."""
    with open_folder() as folder:
        shutil.copytree(image.folder, folder / "image", symlinks=True)
        (folder / "tmp").mkdir()
        paths = [*search_path(), str(Path(__file__).parents[2])]
        if user is not None:
            os.chown(folder / "tmp", user, user)
        done = subprocess.run(
            [
                python, "-c", COMPUTE, folder / "image",
                "forbidden" if forbidden else "usual", ":".join(paths), folder / "tmp",
            ],
            user=user,
            group=user,
            extra_groups=None if user is None else [],
            env={"PATH": os.environ["PATH"]},
            cwd="/",
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@needs_root
def test_an_image_is_started_by_a_user_without_any_privilege(image):
    told = compute(image, user=SONORA, python=everybodys_python())
    assert told["result"] == "hello"
    assert told["uid"] == str(SONORA)
    assert told["left"] == []
    assert {IsolationLayer.IMAGE_ROOT, IsolationLayer.NAMESPACES} <= set(told["layers"])


def test_without_namespaces_the_image_runs_from_a_private_copy_that_is_gone_when_it_is_loaded(
    image,
):
    told = compute(image, forbidden=True)
    assert told["result"] == "hello"
    assert told["left"] == []
    assert IsolationLayer.IMAGE_ROOT not in told["layers"]
    assert IsolationLayer.NAMESPACES not in told["layers"]
    if "mapped" in told:
        # No code of the host came in beside that of the copy, whose files have no name any more.
        assert [each for each in told["mapped"] if not each.endswith(" (deleted)")] == []
        assert any("libc.so.6" in each for each in told["mapped"])


@needs_root
def test_nor_does_a_user_without_privileges_need_them(image):
    told = compute(image, user=SONORA, forbidden=True, python=everybodys_python())
    assert told["result"] == "hello"
    assert told["left"] == []
    assert IsolationLayer.IMAGE_ROOT not in told["layers"]
