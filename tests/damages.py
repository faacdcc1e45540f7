"""Notebooks as Colab, Kaggle, VS Code, JupyterLab and careless students leave them: functions that change a notebook, as JSON data, in place, and
lose no answer.

What each tool writes was read off public notebooks that it had saved: Colab's `colab`, `outputId` and ids in the metadata with format 4.0; Kaggle's
`kaggle` (`dockerImageVersionId`, `dataSources`), `trusted`, `_uuid`, `_cell_guid` and `execution` with format 4.4 and no ids where a draft is
downloaded, and papermill's records with ids of its own where a version was saved; VS Code's `vscode`. Whether Kaggle keeps nbgrader's marks was not
seen in any, so here it drops them. Binder runs JupyterLab.
"""

import copy
import random

WIDGET = "application/vnd.jupyter.widget-view+json"


def cell_of(notebook, name):
    """The cell with a grade id."""
    return next(cell for cell in notebook["cells"] if cell["metadata"].get("nbgrader", {}).get("grade_id") == name)


def code_cell(source, **metadata):
    """A new code cell, as a student's tool makes it."""
    return {
        "cell_type": "code",
        "source": source,
        "metadata": metadata,
        "outputs": [],
        "execution_count": None,
        "id": str(random.random())[2:],
    }


def without_marks(notebook):
    """As Colab leaves it: nbgrader's metadata gone, its own in their place, ids in the metadata."""
    for number, cell in enumerate(notebook["cells"]):
        cell["metadata"] = {
            "id": f"Gx{number}",
            "colab": {"base_uri": "https://localhost:8080/"},
            "outputId": f"o{number}",
            "executionInfo": {},
        }
        cell.pop("id", None)
        cell["source"] = cell["source"].splitlines(True)
    notebook["metadata"] = {
        "colab": {"provenance": []},
        "kernelspec": {"name": "python3", "display_name": "Python 3"},
        "accelerator": "GPU",
    }
    notebook["nbformat_minor"] = 0


def from_vs_code(notebook):
    """As VS Code leaves it: other ids, another kernel, its own metadata; marks kept."""
    for cell in notebook["cells"]:
        cell["id"] = f"{random.getrandbits(32):08x}"
        cell["metadata"]["vscode"] = {"languageId": "python"}
        cell["execution_count"] = 7 if cell["cell_type"] == "code" else None
    notebook["metadata"] = {
        "kernelspec": {"display_name": ".venv", "language": "python", "name": "python3"},
        "language_info": {"version": "3.13.1"},
    }


def from_kaggle(notebook):
    """As Kaggle's editor downloads a draft: its own metadata instead of ours, no ids, an older format."""
    for number, cell in enumerate(notebook["cells"]):
        cell.pop("id", None)
        cell["metadata"] = {"trusted": True, "_uuid": f"{number:040x}", "_cell_guid": f"b1076dfc-b9ad-4769-8c92-{number:012x}"}
        if cell["cell_type"] == "code":
            cell["metadata"]["execution"] = {"iopub.status.busy": "2026-03-12T04:44:22.546692Z", "shell.execute_reply": "2026-03-12T04:44:44.313016Z"}
            cell.update(execution_count=number, outputs=[{"output_type": "stream", "name": "stdout", "text": "7\n"}])
    kaggle = {"accelerator": "none", "dataSources": [], "dockerImageVersionId": 31153, "isGpuEnabled": False, "isInternetEnabled": True}
    notebook["metadata"] = {
        "kaggle": {**kaggle, "language": "python", "sourceType": "notebook"},
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    }
    notebook["nbformat_minor"] = 4


def from_kaggle_saved(notebook):
    """As Kaggle gives a saved version: it was run by papermill, which left its records and ids, and a cell of parameters."""
    from_kaggle(notebook)
    for number, cell in enumerate(notebook["cells"]):
        cell["id"] = f"{number:08x}"
        cell["metadata"] |= {"papermill": {"duration": 4.5, "exception": False, "status": "completed"}, "tags": []}
    parameters = code_cell('# Parameters\nPROFILE = "ci"\n', tags=["injected-parameters"])
    notebook["cells"].insert(3, parameters)
    notebook["metadata"]["papermill"] = {"default_parameters": {}, "input_path": "__notebook__.ipynb", "output_path": "__notebook__.ipynb"}
    notebook["nbformat_minor"] = 5


def from_jupyterlab(notebook):
    """As JupyterLab leaves it, on Binder too: marks and ids kept, its own beside them, the state of widgets in the notebook."""
    for cell in notebook["cells"]:
        cell["metadata"] |= {"editable": True, "slideshow": {"slide_type": ""}, "collapsed": True, "jupyter": {"source_hidden": True}}
        if cell["cell_type"] == "code":
            cell.update(execution_count=3, outputs=[{"output_type": "display_data", "metadata": {}, "data": {WIDGET: {"model_id": "0"}}}])
    state = {"version_major": 2, "version_minor": 0, "state": {"0": {"model_name": "IntSliderModel", "state": {"max": 9, "value": 4}}}}
    notebook["metadata"]["widgets"] = {"application/vnd.jupyter.widget-state+json": state}
    notebook["nbformat_minor"] = 5


def shuffled(notebook):
    random.Random(3).shuffle(notebook["cells"])


def checks_deleted(notebook):
    notebook["cells"] = [cell for cell in notebook["cells"] if not cell["metadata"].get("nbgrader", {}).get("locked")]


def checks_edited(notebook):
    for cell in notebook["cells"]:
        if cell["metadata"].get("nbgrader", {}).get("locked"):
            cell["source"] = "assert True  # passes\n" + cell["source"].replace("assert", "pass  #", 1)


def metadata_forged(notebook):
    for cell in notebook["cells"]:
        cell["metadata"].setdefault("tags", []).append("skip-execution")
        if "nbgrader" in cell["metadata"]:
            cell["metadata"]["nbgrader"].update(points=99, solution=True, grade=True)


def everything_doubled(notebook):
    notebook["cells"] += copy.deepcopy(notebook["cells"])


def old_drafts_before(notebook):
    """Each answer also stands there as an earlier draft."""
    cells = []
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code" and cell["source"].startswith("def "):
            draft = copy.deepcopy(cell)
            draft["source"] = cell["source"].split(":\n")[0] + ":\n    return 7\n"
            cells.append(draft)
        cells.append(cell)
    notebook["cells"] = cells


def windows_lines(notebook):
    for cell in notebook["cells"]:
        cell["source"] = cell["source"].replace("\n", "\r\n")


def long_outputs(notebook):
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "x" * 500_000}]


def odd_cells_between(notebook):
    odd = [None, 7, "text", [], {}, {"cell_type": "code"}, {"cell_type": 3, "source": 4, "metadata": 5}, {"source": [1, None, ["x"]]}]
    odd += [{"cell_type": "code", "source": "\ud800\0", "metadata": {"nbgrader": []}}, {"cell_type": "heading", "level": 2, "source": "x"}]
    notebook["cells"] = [*odd, *notebook["cells"], *odd]


SURVIVED = [
    without_marks,
    from_vs_code,
    from_kaggle,
    from_kaggle_saved,
    from_jupyterlab,
    shuffled,
    checks_deleted,
    checks_edited,
    metadata_forged,
    everything_doubled,
    old_drafts_before,
    windows_lines,
    long_outputs,
    odd_cells_between,
]
