"""What students get holds no solution, hidden check, answer or grader: searched for in every file, by a search that finds a planted one."""

import io
import json
import re
import subprocess
import sys
import zipfile

import pytest

from grading.authoring.distribute import distribute
from grading.authoring.release import instructor_notebook
from grading.sources import ANSWERS, is_check, is_solution, lectures, tracks, works


def squeezed(text):
    """Text without blanks and line ends, so that another indentation hides nothing."""
    return re.sub(r"\s+", "", text)


@pytest.fixture(scope="module")
def secrets():
    """What must not be given out: place -> squeezed text, of at least sixty signs each, so that none can be there by chance."""
    found = {}
    for lecture in [*lectures(), *works()]:
        for cell in instructor_notebook(lecture).cells:
            where = f"{lecture}, {cell.metadata.get('nbgrader', {}).get('grade_id')}"
            if is_solution(cell) and cell.cell_type == "code":
                parts = re.findall(r"### BEGIN SOLUTION\n(.*?)### END SOLUTION", cell.source, re.S)
            elif is_solution(cell):
                parts = [cell.source]
            else:
                parts = re.findall(r"### BEGIN HIDDEN TESTS\n(.*?)### END HIDDEN TESTS", cell.source, re.S) if is_check(cell) else []
            found |= {f"{where}, part {k}": squeezed(part) for k, part in enumerate(parts)}
    for path in ANSWERS.glob("*/*/*.py"):
        text = re.sub(r"^\s*#.*\n", "", path.read_text(encoding="utf-8"), flags=re.M)
        found[str(path.relative_to(ANSWERS))] = squeezed(text)
    return {where: text for where, text in found.items() if len(text) >= 60}


def texts(archive):
    """Everything that a file of the archive says, notebooks cell by cell: name -> squeezed text."""
    found = {}
    with zipfile.ZipFile(archive) as content:
        for name in content.namelist():
            text = content.read(name).decode("utf-8")
            if name.endswith(".ipynb"):
                text = "\n\0\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"])
            found[name] = squeezed(text)
    return found


def leaks(archive, secrets):
    return [(name, where) for name, text in texts(archive).items() for where, secret in secrets.items() if secret in text]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return distribute(tmp_path_factory.mktemp("dist"))


def test_nothing_secret_is_given_out(made, secrets):
    assert len(secrets) > 500
    assert leaks(made[1], secrets) == []
    words = ("BEGINSOLUTION", "ENDSOLUTION", "BEGINHIDDENTESTS", "importgrading", "fromgrading")
    assert [(name, word) for name, text in texts(made[1]).items() for word in words if word in text] == []


def test_the_search_finds_what_is_planted(made, secrets, tmp_path):
    copy = tmp_path / "leaky.zip"
    copy.write_bytes(made[1].read_bytes())
    name, secret = next((where, text) for where, text in secrets.items() if "hidden" not in where)
    with zipfile.ZipFile(copy, "a") as out:
        out.writestr("helpers/extra.py", f"x = 1\n{secret}\n")
    assert ("helpers/extra.py", name) in leaks(copy, secrets)


def test_only_what_is_listed_is_in_it(made):
    folder, archive = made
    with zipfile.ZipFile(archive) as content:
        names = sorted(name.partition("/")[2] for name in content.namelist())
    assert names == sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert {name.partition("/")[0] for name in names} == {
        "notebooks", "helpers", "data_manifest.yaml", "requirements.lock", "pyproject.toml", "README.md", "LICENSE", "LICENSE-TEXT", "CITATION.cff", ".gitignore",
    }  # fmt: skip
    assert {f"notebooks/{name}.ipynb" for name in [*lectures(), *works(), *tracks()]} == {name for name in names if name.endswith(".ipynb")}


def test_it_is_the_same_twice_and_works_by_itself(made, tmp_path):
    again = distribute(tmp_path)
    assert again[1].read_bytes() == made[1].read_bytes()
    code = "import helpers, sys; from helpers import data; print(helpers.__file__, len(data.names())); assert 'grading' not in sys.modules"
    done = subprocess.run([sys.executable, "-P", "-c", code], cwd=again[0], env={"PYTHONPATH": str(again[0]), "PATH": ""}, capture_output=True, text=True)
    assert done.returncode == 0 and str(again[0]) in done.stdout, done.stderr


def test_its_project_file_is_a_project(made):
    import tomllib

    project = tomllib.load(io.BytesIO((made[0] / "pyproject.toml").read_bytes()))
    assert project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"] == ["helpers"]
    assert "torch>=2.6" in project["project"]["dependencies"] and "grading" not in project["project"]["optional-dependencies"]
