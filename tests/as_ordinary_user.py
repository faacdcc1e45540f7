"""Run by test_sandbox as somebody who is not root: jail, limits and a small class; prints what happened as JSON. Not a test by itself."""

import json
import os
import sys
import tempfile
from pathlib import Path

from grading.classroom import autograde
from grading.sandbox import Ended, Limits, Sandbox
from tests import classes


def told(process, source):
    """What a cell prints, or why the process was stopped."""
    try:
        answer = process.ask({"operation": "run", "seed": 0, "source": source})[0]
        return answer["output"] or str(answer["error"])
    except Ended as problem:
        return f"ended: {problem}"


def main():
    found = {"uid": os.getuid()}
    with Sandbox(["numpy"]) as box:
        for name, source in json.loads(sys.stdin.read()).items():
            process = box.spawn(Limits(seconds=20, cell_seconds=5, memory=2**29))
            found[name] = told(process, source)
            process.close()
    with tempfile.TemporaryDirectory() as folder:
        of = classes.lecture("96_light")
        right, wrong = classes.right(of), {"twice": "import os\n\n\ndef twice(x):\n    os.kill(0, 9)\n    os._exit(0)"}
        submissions = {"a": right, "b": wrong, "c": {**right, **wrong}, "d": right}
        course = classes.course(Path(folder), of, {name: classes.answered(of, answers) for name, answers in submissions.items()})
        found["class"] = {report.student: report.points for report in autograde(course, of.name, workers=2, limits=Limits(20, 5, 2**29))}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
