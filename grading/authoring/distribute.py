"""The students' distribution: a folder, ready to be a branch, and an archive of it. What it may hold is listed here; all else stays at home."""

import shutil
import tomllib
import zipfile
from pathlib import Path

from grading.sources import ROOT

NAME = "dlmia-student"
WHOLE = ("notebooks", "helpers")  # folders
FILES = ("data_manifest.yaml", "requirements.lock", "LICENSE", "LICENSE-TEXT", "CITATION.cff")
KINDS = {"notebooks": {".ipynb"}, "helpers": {".py", ".yaml", ".json"}}
STAMP = (2020, 1, 1, 0, 0, 0)  # the same bytes at every call

README = """# {title}

One notebook for each lecture, in `notebooks/`. Open one, run it from the top, and write your answer where a cell says `raise NotImplementedError`.
The check below it says at once what is right, what is wrong and why. Hand in the notebook as your instructor asks.

```
python3.11 -m venv .venv
.venv/bin/python -m pip install --no-deps --require-hashes -r requirements.lock
.venv/bin/python -m pip install --no-deps -e .
.venv/bin/python -m jupyter lab --notebook-dir=notebooks
```

On Windows: `py -3.11` for `python3.11`, and `.venv\\Scripts\\python` for `.venv/bin/python`.

Lectures run on a laptop without a GPU. Data arrive when they are first needed; `python -m helpers.data prefetch` brings them before a journey.
Each data set has its licence and its source in `data_manifest.yaml`. Code: MIT. Text, figures and exercises: CC BY 4.0.
"""


def distribute(folder: Path) -> tuple[Path, Path]:
    """Write the distribution anew.

    Args:
        folder: holds the result; what was there under the same names is replaced.

    Returns:
        The folder of the distribution, and the archive of it.
    """
    target, archive = folder / NAME, folder / f"{NAME}.zip"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for room in WHOLE:
        for path in sorted((ROOT / room).rglob("*")):
            if path.is_file() and path.suffix in KINDS[room] and not any(part.startswith(".") for part in path.relative_to(ROOT).parts):
                (target / path.relative_to(ROOT)).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target / path.relative_to(ROOT))
    for name in FILES:
        shutil.copyfile(ROOT / name, target / name)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (target / "pyproject.toml").write_text(_pyproject(project), encoding="utf-8", newline="\n")
    (target / "README.md").write_text(README.format(title=project["description"].partition(":")[0]), encoding="utf-8", newline="\n")
    (target / ".gitignore").write_text(".venv/\n__pycache__/\n.ipynb_checkpoints/\n*.glb\n", encoding="utf-8", newline="\n")
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out:
        for path in sorted(path for path in target.rglob("*") if path.is_file()):
            out.writestr(zipfile.ZipInfo(str(path.relative_to(folder)), STAMP), path.read_bytes(), zipfile.ZIP_DEFLATED)
    return target, archive


def _pyproject(project: dict) -> str:
    """The project file of the students' package: helpers, what a notebook needs, and JupyterLab."""

    def block(name: str, entries: list[str]) -> str:
        return f"{name} = [\n" + "".join(f'    "{entry}",\n' for entry in entries) + "]\n"

    head = '[build-system]\nrequires = ["hatchling>=1.26"]\nbuild-backend = "hatchling.build"\n\n[project]\n'
    head += "".join(f'{key} = "{project[key]}"\n' for key in ("name", "version", "description", "readme", "requires-python", "license"))
    table = "[tool.hatch.build.targets.wheel"
    wheel = f'{table}]\npackages = ["helpers"]\n\n{table}.force-include]\n"data_manifest.yaml" = "helpers/data_manifest.yaml"\n'
    extras = "[project.optional-dependencies]\n" + block("lab", project["optional-dependencies"]["lab"])
    return "\n".join([head + block("license-files", project["license-files"]) + block("dependencies", project["dependencies"]), extras, wheel])
