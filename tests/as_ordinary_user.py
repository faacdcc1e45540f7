"""Run by test_ordinary_user as somebody who is not root: jail, limits and a small class; prints what happened as JSON. Not a test by itself."""

import json
import os
import sys
import tempfile
from pathlib import Path

import nbformat

from grading.marking.job import grade
from grading.marking.worker import Lecture
from grading.sandbox import Ended, Limits, Sandbox


def told(process, source):
    """What a cell prints, or why the process was stopped."""
    try:
        answer = process.ask({"operation": "run", "seed": 0, "source": source})[0]
        return answer["output"] or str(answer["error"])
    except Ended as problem:
        return f"ended: {problem}"


def main():
    asked = json.loads(sys.stdin.read())
    of = Lecture("96_light", *(nbformat.reads(asked["lecture"][part], as_version=4) for part in ("pristine", "released")))
    limits = Limits(seconds=20, cell_seconds=5, memory=2**29)
    found = {"uid": os.getuid(), "points": {}}
    with Sandbox(["numpy"]) as box, tempfile.TemporaryDirectory() as folder:
        for name, source in asked["attempts"].items():
            process = box.spawn(limits)
            found[name] = told(process, source)
            process.close()
        for name, text in asked["submissions"].items():
            path = Path(folder, f"{name}.ipynb")
            path.write_text(text, encoding="utf-8")
            found["points"][name] = grade(path, name, of, box, limits=limits).points
    print(json.dumps(found))


if __name__ == "__main__":
    main()
