"""The notebooks of examples/ run from a clean kernel, and were committed as they ran."""

import importlib
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))
NEEDS = {"collapse_lab_on_timm": "timm"}
if not NOTEBOOKS:
    pytest.skip("the notebooks are not part of the package", allow_module_level=True)
nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
@pytest.mark.filterwarnings("ignore")  # of Jupyter's own
def test_a_notebook_runs_from_a_clean_kernel(path, monkeypatch):
    if path.stem in NEEDS:
        try:
            importlib.import_module(NEEDS[path.stem])
        except Exception as error:  # timm imports torchvision, which may be of another torch
            pytest.skip(f"{NEEDS[path.stem]}: {error}")
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    notebook = nbformat.read(path, 4)
    place = {"metadata": {"path": str(EXAMPLES)}}
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3", resources=place).execute()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_committed_whole_with_outputs_and_small(path):
    cells = [cell for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert not any(output.output_type == "error" for cell in cells for output in cell.outputs)
    assert path.stat().st_size < 300_000
    for folder in ("/home/", "/Users/", "/root/", "/tmp/", str(EXAMPLES.parent)):
        assert folder not in path.read_text("utf-8")
