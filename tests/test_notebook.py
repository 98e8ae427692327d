"""The notebook runs from top to bottom, with less training than it has by itself."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).resolve().parent.parent / "experiments" / "quickstart.ipynb"
SHORT = "recipe.epochs=1 data.train_size=320 data.val_size=32 data.test_size=64 model.width=0.0625"


def printed(cell):
    return "".join(output.get("text", "") for output in cell.outputs)


def pictures(cell):
    return [output for output in cell.outputs if "image/png" in output.get("data", {})]


@pytest.mark.slow
def test_the_notebook_runs_from_top_to_bottom(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "1")  # this environment's kernel, not another one of the user's
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    book = nbformat.read(NOTEBOOK, as_version=4)
    (parameters,) = (cell for cell in book.cells if "parameters" in cell.metadata.get("tags", ()))
    parameters.source += f'\nsettings += " {SHORT}"'
    work = tmp_path / "work"
    work.mkdir()
    NotebookClient(book, timeout=600, resources={"metadata": {"path": str(work)}}).execute()  # raises where a cell does
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    (trained,) = (cell for cell in code if "lta.run" in cell.source)
    assert "epoch 1/1" in printed(trained)
    assert "test error" in printed(trained)
    assert (work / "runs/notebook/results.json").is_file()
    (applied,) = (cell for cell in code if "-m lta.apply" in cell.source)
    assert "effects/scene_sheet.png" in printed(applied)
    assert sum(len(pictures(cell)) for cell in code) == 4  # the panel, the maps, the sheet, autoblur
    (density,) = (cell for cell in code if "main, shuffled" in cell.source)
    assert [line.split()[0] for line in printed(density).splitlines()] == ["density", "A", "B", "C"]


def test_it_is_kept_as_it_ran():
    code = [cell for cell in nbformat.read(NOTEBOOK, as_version=4).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert not any(output.output_type == "error" for cell in code for output in cell.outputs)
    assert NOTEBOOK.stat().st_size < 1_000_000
