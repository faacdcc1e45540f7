"""Notebooks as Colab, VS Code and careless students leave them: functions that change a notebook, as JSON data, in place, and lose no answer."""

import copy
import random


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
