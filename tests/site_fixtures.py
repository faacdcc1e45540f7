"""A recorded run of the made-up lecture, written down instead of run: what a page must show of it, and what it must not."""

import json
from base64 import b64encode
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import nbformat
from nbformat.v4 import new_output

from grading.authoring.release import instructor_notebook

MADE_UP = Path(__file__).with_name("fixtures") / "98_made_up.py"
ALT = "Two measurements &quot;of one lesion&quot;"
SECRET_ERROR = "an error that a demonstration raised"


@dataclass
class Site:
    """A built site: its folder, and what the build said."""

    folder: Path
    built: object


def executed(source):
    """The instructor's notebook with outputs of every kind, in places where they may be seen and in places where they may not."""
    notebook = instructor_notebook(source)
    for cell in notebook.cells:
        if "sorted_middle" in cell.source:
            bar = {"application/vnd.jupyter.widget-view+json": {"model_id": "b"}, "text/plain": "training:   0%|          | 0/12"}
            cell.outputs = [
                new_output("display_data", data=bar),
                new_output("stream", text="mean 76 HU, median 40 HU\n"),
                new_output("error", ename="E", evalue=SECRET_ERROR, traceback=[SECRET_ERROR]),
            ]
        elif "show.figure" in cell.source:
            image = f'<img src="data:image/png;base64,x" width="40" alt="{ALT}">'
            widget = {"application/vnd.jupyter.widget-view+json": {"model_id": "m"}, "text/plain": "VBox(children=())"}
            cell.outputs = [new_output("display_data", data={"image/png": picture(), "text/html": image}), new_output("display_data", data=widget)]
        elif cell.cell_type == "code" and cell.metadata.get("nbgrader"):
            cell.outputs = [new_output("stream", text="printed by a solution or a check\n")]
    return notebook


def picture():
    """A small PNG in base 64."""
    from PIL import Image

    buffer = BytesIO()
    Image.new("RGB", (40, 30), "white").save(buffer, "PNG")
    return b64encode(buffer.getvalue()).decode()


def record(runs, notebook, **more):
    """Write a run down as `python -m grading run` does."""
    runs.mkdir(exist_ok=True)
    nbformat.write(notebook, runs / "98_made_up.ci.ipynb")
    row = {"lecture": "98_made_up", "profile": "ci", "released": False, "cpu_seconds": 12.3, "error": None, **more}
    (runs / "98_made_up.ci.json").write_text(json.dumps(row))
