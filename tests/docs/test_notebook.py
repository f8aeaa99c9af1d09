"""The notebooks of the tutorial, run by a kernel as they stand there."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from support.patience import PATIENCE_S

TUTORIAL = Path(__file__).parents[2] / "docs/tutorial"
NOTEBOOK = TUTORIAL / "a-joint-result-in-a-notebook.ipynb"
MODEL = TUTORIAL / "a-joint-model-in-a-notebook.ipynb"


@pytest.fixture(scope="module")
def executed():
    """The notebook with its outputs."""
    return executed_by_a_kernel(NOTEBOOK)


def executed_by_a_kernel(path):
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=int(PATIENCE_S), kernel_name="python3").execute()
    return notebook


def shown(notebook) -> list[str]:
    """What each cell of code shows: text, and HTML where there is some."""
    return [
        "".join(
            output.get("text", "")
            or output.data.get("text/html", output.data.get("text/plain", ""))
            for output in cell.outputs
        )
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


@pytest.mark.timeout(300)
def test_two_parties_come_to_a_verified_result(executed):
    told = "\n".join(shown(executed))
    assert "viewers spent 37.75" in told
    assert "result of 8 bytes, with its receipt" in told
    assert "1 verified, all of it fits together" in told
    assert "the bridge ended with status 0" in told


def test_every_value_is_shown_as_a_notebook_shows_it(executed):
    tables = [text for text in shown(executed) if "<table>" in text or "<ul>" in text]
    assert len(tables) == 7
    assert any("Who learns what" in text and "<svg" in text for text in tables)
    assert any("ok" in text and "program.wasm is the program" in text for text in tables)
    assert any("waiting for consent" in text or "consent to the policy" in text for text in tables)


@pytest.mark.timeout(300)
def test_three_parties_come_to_a_model_its_pictures_and_a_receipt():
    pytest.importorskip("matplotlib", reason="pip install 'veracruz-sdk[plot]'")
    notebook = executed_by_a_kernel(MODEL)
    told = "\n".join(shown(notebook))
    assert "result of 287 bytes, with its receipt" in told
    assert "1 verified, all of it fits together" in told
    assert "the bridge ended with status 0" in told
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    pictures = [each.data["image/png"] for each in outputs if "image/png" in each.get("data", {})]
    assert len(pictures) == 2
    assert pictures[0] != pictures[1]


@pytest.mark.parametrize("path", [NOTEBOOK, MODEL], ids=lambda path: path.stem)
def test_a_notebook_can_be_read_slowly(path):
    """No cell relies on the attestation of an earlier one, which is good for minutes alone."""
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code" and ".connect(" in cell.source:
            assert "attest(policy)" in cell.source


@pytest.mark.parametrize("path", [NOTEBOOK, MODEL], ids=lambda path: path.stem)
def test_a_notebook_has_no_outputs_of_its_own(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None
