"""The container images: read by tools of others, and a computation that runs out of them."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from sinaloa_operator.pods import USER
from support.control_plane import AVAILABLE, MISSING, ControlPlane
from support.operated_cluster import OperatedCluster
from support.pod_containers import ImageContainers
from support.stack import Stack

LAYOUT = Path(os.environ.get("VERACRUZ_CONTAINERS", "/nonexistent"))
NAMES = ("veracruz", "veracruz-operator")
TOOLS = ("bwrap", "skopeo", "umoci")
absent = [each for each in TOOLS if shutil.which(each) is None]

pytestmark = [
    pytest.mark.skipif(
        not (LAYOUT / "index.json").exists(), reason="there are no images: make containers"
    ),
    pytest.mark.skipif(bool(absent), reason=f"not installed: {', '.join(absent)}"),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root unpacks images with their owners"),
]


def said(*command):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def roots(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    for name in NAMES:
        said("umoci", "unpack", "--image", f"{LAYOUT}:{name}", folder / name)
    return {name: folder / name / "rootfs" for name in NAMES}


def inside(root, path, *command):
    """What a command prints in an image, as nobody who could do anything to it."""
    return said(
        "bwrap", "--ro-bind", root, "/", "--proc", "/proc", "--dev", "/dev",
        "--perms", "1777", "--tmpfs", "/tmp",
        "--unshare-pid", "--unshare-net", "--die-with-parent", "--clearenv",
        "--setenv", "PATH", path, "--setenv", "XDG_CACHE_HOME", "/tmp/cache",
        "/usr/bin/setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups",
        "--bounding-set=-all", *command,
    )  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_skopeo_reads_an_image_and_a_copy_of_it_is_the_same(name, tmp_path):
    found = json.loads(said("skopeo", "inspect", "--config", f"oci:{LAYOUT}:{name}"))
    assert found["config"]["User"] == f"{USER}:{USER}"
    assert f"PATH=/opt/{name}/bin:/usr/bin:/bin" in found["config"]["Env"]
    assert "XDG_CACHE_HOME=/tmp/cache" in found["config"]["Env"]
    assert len(found["rootfs"]["diff_ids"]) == 2
    said("skopeo", "copy", "--quiet", f"oci:{LAYOUT}:{name}", f"dir:{tmp_path}/copy")
    index = json.loads((LAYOUT / "index.json").read_text())
    (known,) = (
        each["digest"]
        for each in index["manifests"]
        if each["annotations"]["org.opencontainers.image.ref.name"] == name
    )
    copy = json.loads(said("skopeo", "inspect", f"dir:{tmp_path}/copy"))
    assert copy["Digest"] == known


def test_the_two_images_share_what_is_of_debian():
    layers = [
        json.loads(said("skopeo", "inspect", f"oci:{LAYOUT}:{name}"))["Layers"] for name in NAMES
    ]
    assert layers[0][0] == layers[1][0]
    assert layers[0][1] != layers[1][1]


@pytest.mark.parametrize("name", NAMES)
def test_nothing_in_an_image_is_anybodys_but_roots_and_nothing_makes_one_root(roots, name):
    for path in roots[name].rglob("*"):
        found = path.lstat()
        assert found.st_uid == 0, path
        if path.is_file() and not path.is_symlink():
            assert not found.st_mode & 0o6022, path
    for each in ("usr/bin/apt", "usr/bin/gcc", f"opt/{name}/bin/pip", "etc/machine-id"):
        assert not (roots[name] / each).exists(), each


def test_every_service_runs_as_somebody_without_rights(roots):
    path = "/opt/veracruz/bin:/usr/bin:/bin"
    for name in ("sonora", "sinaloa", "tabasco"):
        assert inside(roots["veracruz"], path, name, "--version").split()[0].strip(",") == name
    path = "/opt/veracruz-operator/bin:/usr/bin:/bin"
    assert "--quota" in inside(
        roots["veracruz-operator"], path, "veracruz-operator", "run", "--help"
    )


def test_a_computation_runs_out_of_the_images(roots, tmp_path):
    if not AVAILABLE:
        pytest.skip(MISSING)
    paths = {name: f"/opt/{name}/bin:/usr/bin:/bin" for name in NAMES}
    measured = inside(roots["veracruz"], paths["veracruz"], "sonora", "measure", "--json")
    measurement = bytes.fromhex(json.loads(measured)["measurement"])
    image = "registry.example/veracruz:tests"
    containers = ImageContainers({image: roots["veracruz"]}, {image: paths["veracruz"]})
    stack, server = Stack(tmp_path), ControlPlane()
    cluster = OperatedCluster(server, stack, tmp_path, containers)
    try:
        operator = ["bwrap", "--ro-bind", roots["veracruz-operator"], "/", "--proc", "/proc"]
        operator += [
            "--dev",
            "/dev",
            "--perms",
            "1777",
            "--tmpfs",
            "/tmp",
            "--unshare-pid",
            "--die-with-parent",
        ]
        (roots["veracruz-operator"] / "kubeconfig").write_bytes(
            server.client_file("operator").read_bytes()
        )
        operator += ["--setenv", "KUBECONFIG", "/kubeconfig"]
        operator += ["--setenv", "PATH", paths["veracruz-operator"]]
        operator += ["/usr/bin/setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"]
        operator += ["--bounding-set=-all", "--no-new-privs", "veracruz-operator"]
        cluster.start_operator_by(operator)
        policy, parties = cluster.policy("author", "reader", measurement=measurement)
        cluster.create(cluster.document("from-images", policy))
        cluster.until_attested("from-images")
        results = cluster.complete("from-images-1", policy, parties)
        assert len(set(results)) == 1
        assert cluster.until_phase("from-images", "Finished")["reason"] == "ByPolicy"
    finally:
        cluster.close()
        server.close()
        stack.close()
