"""The manifests as administrators install them: by Helm, and by kubectl with its Kustomize."""

import json
import os
import subprocess

import pytest
import yaml

from support.control_plane import AVAILABLE, FOLDER, MISSING, ControlPlane
from support.operated_cluster import MANIFESTS

HELM, KUBECTL = FOLDER / "helm", FOLDER / "kubectl"
CHART, BASE = MANIFESTS / "chart", MANIFESTS / "base"

needs_helm = pytest.mark.skipif(not HELM.exists(), reason="there is no helm: make kubernetes")
needs_kubectl = pytest.mark.skipif(
    not KUBECTL.exists(), reason="there is no kubectl: make kubernetes"
)


@pytest.fixture(scope="module")
def plane():
    """A cluster in which nothing is installed yet."""
    if not AVAILABLE:
        pytest.skip(MISSING)
    server = ControlPlane()
    yield server
    server.close()


def said(plane, program, *arguments, text=None, status=0):
    environment = dict(os.environ)
    if plane is not None:
        environment["KUBECONFIG"] = str(plane.client_file("admin"))
        environment["HOME"] = str(plane.folder)
    done = subprocess.run(
        [program, *map(str, arguments)], env=environment, input=text, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout if status == 0 else done.stderr


def named(text):
    found = {(each["kind"], each["metadata"]["name"]): each for each in yaml.safe_load_all(text)}
    found.pop(("Namespace", "veracruz"), None)  # Helm makes it by itself
    return found


@needs_helm
@needs_kubectl
def test_helm_and_kustomize_give_the_same_objects():
    chart = said(None, HELM, "template", "v", CHART, "-n", "veracruz", "--include-crds")
    base = said(None, KUBECTL, "kustomize", BASE)
    assert named(chart) == named(base)
    assert len(named(base)) >= 10


@needs_helm
def test_helm_finds_nothing_wrong_with_the_chart():
    assert "0 chart(s) failed" in said(None, HELM, "lint", "--strict", CHART)


@needs_helm
@pytest.mark.parametrize("value", ["quota=0", "replicas=many", "image=", "nobody=1"])
def test_helm_refuses_values_that_the_schema_does_not_know(value):
    words = said(None, HELM, "template", "v", CHART, "--set", value, status=1)
    assert "don't meet the specifications of the schema" in words


@needs_helm
def test_values_come_where_they_belong():
    values = {"services": "a/b@sha256:1", "image": "c/d:1", "quota": 7, "replicas": 3}
    pairs = [word for key, value in values.items() for word in ("--set", f"{key}={value}")]
    made = named(said(None, HELM, "template", "v", CHART, "-n", "elsewhere", *pairs))
    deployment = made["Deployment", "veracruz-operator"]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert deployment["metadata"]["namespace"] == "elsewhere"
    assert deployment["spec"]["replicas"] == 3
    assert container["image"] == "c/d:1"
    assert {"--image=a/b@sha256:1", "--quota=7", "--lease-namespace=elsewhere"} <= set(
        container["args"]
    )


@needs_helm
@needs_kubectl
def test_an_overlay_of_the_base_names_other_images(tmp_path):
    page = (MANIFESTS.parents[1] / "docs/how-to/many-machines-with-kubernetes.md").read_text()
    overlay = page.partition("<!-- file: kustomization.yaml -->\n```yaml\n")[2].partition("```")[0]
    (tmp_path / "base").symlink_to(BASE)
    text = overlay.replace("sinaloa_operator/manifests/base", "base")
    (tmp_path / "kustomization.yaml").write_text(text)
    made = named(
        said(None, KUBECTL, "kustomize", "--load-restrictor=LoadRestrictionsNone", tmp_path)
    )
    (container,) = made["Deployment", "veracruz-operator"]["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "images.example/veracruz-operator:1"
    assert container["args"][0] == "--image=images.example/veracruz:1"


@needs_helm
@needs_kubectl
def test_helm_installs_upgrades_and_takes_away(plane):
    said(plane, HELM, "install", "v", CHART, "-n", "by-helm", "--create-namespace")
    words = ("get", "deployment", "veracruz-operator", "-n", "by-helm", "-o", "json")
    assert json.loads(said(plane, KUBECTL, *words))["spec"]["replicas"] == 2
    said(plane, HELM, "upgrade", "v", CHART, "-n", "by-helm", "--set", "replicas=1")
    assert json.loads(said(plane, KUBECTL, *words))["spec"]["replicas"] == 1
    assert "computations" in said(plane, KUBECTL, "api-resources", "--api-group=compute.veracruz")
    said(plane, HELM, "uninstall", "v", "-n", "by-helm")
    assert said(plane, KUBECTL, "get", "deployments", "-n", "by-helm", "-o", "name") == ""
    # What Helm leaves of purpose: the kinds, and every computation with them.
    assert "computations" in said(plane, KUBECTL, "api-resources", "--api-group=compute.veracruz")


@needs_kubectl
def test_kubectl_installs_the_base_and_shows_computations(plane):
    said(plane, KUBECTL, "apply", "--server-side", "-k", BASE)
    again = said(plane, KUBECTL, "diff", "--server-side", "-k", BASE)
    assert again == ""
    document = {
        "apiVersion": "compute.veracruz/v1alpha1", "kind": "Computation",
        "metadata": {"name": "shown", "namespace": "default"},
        "spec": {"policy": "{}", "platform": "sev-snp"},
    }  # fmt: skip
    said(plane, KUBECTL, "create", "-f", "-", text=json.dumps(document))
    said(
        plane, KUBECTL, "patch", "computation", "shown", "--subresource=status", "--type=merge",
        "-p", json.dumps({"status": {"phase": "Refused", "reason": "PolicyRefused"}}),
    )  # fmt: skip
    head, line = said(plane, KUBECTL, "get", "computations").splitlines()
    assert head.split() == ["NAME", "PHASE", "REASON", "AGE"]
    assert line.split()[:3] == ["shown", "Refused", "PolicyRefused"]
    explained = said(plane, KUBECTL, "explain", "computation.spec.timeToLiveSeconds")
    assert "After that everything ends" in explained
