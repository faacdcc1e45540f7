"""README's tables and docs/results.md, made from measured.json, helpers/recorded.json, readme.yaml and what the tree holds. Nothing is run here."""

import fnmatch
import re
from collections import Counter
from functools import cache
from pathlib import Path

import yaml

from grading.authoring import badges
from grading.files import write_text
from grading.measuring import measured
from grading.sources import ANSWERS, NOTEBOOKS, ROOT, SOLUTIONS, SourceError, lectures, syllabus
from helpers.results import Result, recorded

README, RESULTS, WORDS = ROOT / "README.md", ROOT / "docs" / "results.md", Path(__file__).with_name("readme.yaml")
ATTACKS = ROOT / "tests" / "attacks"
BLOCK = re.compile(r"(<!-- begin generated: (\w+) -->\n)(.*?)(<!-- end generated -->)", re.S)
SHOWN = 4  # figures of a lecture that names no headline
OLD, BUSY = "*", "°"
BEFORE = "Measured before the last change of the lecture's code."
BESIDE = "Measured beside other work, which can double even the processor time."
QUIET = 2.0  # processes at once, beside which a time is taken as it is
MISSING = "not recorded"
AGAIN = "python -m grading readme"


def stale(write: bool = False) -> list[str]:
    """The files whose generated parts are not what the records and the tree give.

    Args:
        write: bring them up to date.

    Raises:
        SourceError: README asks for a table that nobody makes, or a lecture has no words.
    """
    given = measured.load()
    found = []
    for path, text in ((README, _filled(README.read_text(encoding="utf-8"), given)), (RESULTS, results(given))):
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            found.append(str(path.relative_to(ROOT)))
            if write:
                write_text(path, text)
    return found


def _filled(text: str, given: dict) -> str:
    def block(match: re.Match) -> str:
        if match[2] not in TABLES:
            raise SourceError(f"README.md asks for the table '{match[2]}'; these are made: {', '.join(TABLES)}.")
        return f"{match[1]}{TABLES[match[2]](given).strip()}\n{match[4]}"

    return BLOCK.sub(block, text)


def words(lecture: str) -> dict:
    """What readme.yaml says of a lecture."""
    whole = yaml.safe_load(WORDS.read_text(encoding="utf-8"))
    if lecture not in whole:
        raise SourceError(f"grading/measuring/readme.yaml has no entry for {lecture}: write what a student can do afterwards (`promise`).")
    return whole[lecture]


@cache
def title(lecture: str) -> str:
    """ "4 Classification", from the first heading of the source."""
    heading = re.search(r"^# # Lecture (\d+) - (.+)$", (SOLUTIONS / f"{lecture}.py").read_text(encoding="utf-8"), re.M)
    return f"{heading[1]} {heading[2]}"


def table(head: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown."""
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows]) + "\n"


def lecture_table(_given: dict) -> str:
    """What each lecture is for, and where it opens; then what of the syllabus is not there yet."""
    rows = [[f"[{title(name)}](notebooks/{name}.ipynb)", words(name)["promise"], badges.row(name)] for name in lectures()]
    missing = [name for name in syllabus()["lectures"] if name not in lectures()]
    said = ", ".join(name.partition("_")[2].replace("_", " ") for name in missing)
    last = f"\nAlso in the syllabus (`grading/syllabus.yaml`), and not written yet: {said}.\n" if missing else ""
    where = "\nColab and Kaggle have their own torch, which the set-up cell leaves as it is. "
    where += 'In Kaggle switch on Internet under Settings; Binder has little memory: set `PROFILE = "ci"`. '
    where += f"In VS Code: {badges.vs_code()}, then take `.venv`, which `make lab` has made, as the kernel.\n"
    return table(["lecture", "what you can do afterwards", "open"], rows) + where + last


def counts() -> dict[str, Counter]:
    """Lecture -> how many exercises, right answers and wrong answers its bank has."""
    found = {}
    for name in lectures():
        folders = [place for place in sorted((ANSWERS / name).glob("*")) if place.is_dir()]
        numbers = {kind: sum(1 for place in folders for _ in place.glob(f"{kind}_*.py")) for kind in ("right", "wrong")}
        found[name] = Counter(exercises=len(folders), **numbers)
    return found


def cost_table(given: dict) -> str:
    """What each lecture holds and costs."""
    rows, total, shown = [], Counter(), ""
    for name, number in counts().items():
        cells = [_cost(given, name, profile) for profile in ("ci", "laptop")]
        shown += "".join(cells)
        total += number
        rows.append([title(name), str(number["exercises"]), str(number["right"]), str(number["wrong"]), *cells])
    rows.append(["together", str(total["exercises"]), str(total["right"]), str(total["wrong"]), "", ""])
    head = ["lecture", "exercises", "right answers that keep their points", "wrong answers caught", "profile ci", "profile laptop"]
    notes = "".join(f"\n{mark} {said}\n" for mark, said in ((OLD, BEFORE), (BUSY, BESIDE)) if mark in shown)
    return table(head, rows) + "\nProcessor time of one thread, and the most memory at once.\n" + notes


def _cost(given: dict, name: str, profile: str) -> str:
    run = given["runs"].get(name, {}).get(profile)
    if not run:
        return MISSING
    seconds = run["cpu_seconds"]
    time = f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min"
    return f"{time}, {run['peak_mib'] / 1024:.1f} GiB{_mark(name, run)}{BUSY * ((run.get('load') or 0) > QUIET)}"


def _mark(name: str, run: dict) -> str:
    return OLD if run.get("code") != measured.code_of(name) else ""


def attack_table(_given: dict) -> str:
    """What grading has been tried with."""
    aims: Counter = Counter()
    files = sorted(ATTACKS.glob("*.py"))
    for path in files:
        aims.update(re.search(r"^# aims at: (.*)$", path.read_text(encoding="utf-8"), re.M)[1].split(", "))
    from grading.exam.model import bank
    from helpers.quiz.bank import questions

    aimed = ", ".join(f"{count} at {aim}" for aim, count in sorted(aims.items()))
    wrong = sum(number["wrong"] for number in counts().values())
    rows = [
        ["hostile submissions held", str(len(files)), f"{aimed}; `tests/test_red_team.py`"],
        ["wrong answers caught, each by the check and the sentence that it names", str(wrong), "`tests/test_bank.py`"],
        ["questions of the exam, each drawn and solved", str(len(bank())), "`tests/test_exam.py`"],
        ["questions of the quiz", str(len(questions())), "`tests/test_quiz.py`"],
    ]
    return table(["what is tried", "how many", "where"], rows)


def reached_table(given: dict) -> str:
    """What lectures reach in profile laptop: a few recorded figures of each, and which lectures have no record."""
    rows, without, old = [], [], False
    for name in lectures():
        run = given["runs"].get(name, {}).get("laptop")
        if not run:
            without.append(title(name).split()[0])
            continue
        mark = _mark(name, run)
        old = old or bool(mark)
        for number, row in enumerate(headlines([Result(**figure) for figure in run["figures"]], words(name).get("headline", []))):
            rows.append(["" if number else title(name).partition(":")[0] + mark, *_cells(row)[:3]])
    notes = f"\n{OLD} {BEFORE}\n" if old else ""
    if without:
        notes += f"\nNot recorded in profile laptop: lecture {', '.join(without)}.\n"
    last = "\nAgain: `python -m grading run NN --profile laptop --network`. All figures, how they came about, and those of profile ci: "
    return table(["lecture", "figure", "measured", "to compare"], rows) + notes + last + "[docs/results.md](docs/results.md).\n"


def headlines(rows: list[Result], patterns: list[str]) -> list[Result]:
    """The figures to show: those whose name fits a pattern, in the order of the patterns; if none does, the first ones that have an interval."""
    chosen = [row for pattern in patterns for row in rows if fnmatch.fnmatchcase(row.name, pattern)]
    return list(dict.fromkeys(chosen)) or [row for row in rows if row.low is not None][:SHOWN]


def _cells(row: Result) -> list[str]:
    return [cell.replace("|", "\\|") for cell in (row.name, row.measured, row.beside, row.source)]


def _figures(rows: list[Result]) -> str:
    return table(["figure", "measured", "to compare", "source"], [_cells(row) for row in rows])


def speed_table(given: dict) -> str:
    """Grading beside stock nbgrader."""
    rows, before = [], ""
    for row in given["speed"]:
        name = (
            "imports torch and monai, asks one trivial thing" if row["lecture"].startswith("00_") else f"lecture {title(row['lecture']).split()[0]}"
        )
        each, ratio = row["stock_seconds_each"], row["stock_seconds_each"] / row["seconds_each"]
        shown = [f"{each:.2g} s", f"{row['seconds_each']:.2g} s", f"{ratio:.0f}", f"{row['memory_mb'] / 1000:.1f} GB"]
        rows.append(["the same" if name == before else name, str(row["submissions"]), *shown])
        before = name
    return table(["notebook", "submissions", "stock, each", "here, each", "ratio", "memory here, all processes together"], rows)


def minutes_table(given: dict) -> str:
    """From a fresh clone to the first figure, each second accounted for."""
    once = given["first_minutes"]
    if not once:
        return f"{MISSING}: `python -m grading.measuring.first_minutes --record`\n"
    rows = [[step["what"], f"{step['seconds']:.1f} s"] for step in once["steps"]]
    rows.append(["together", f"{once['seconds']:.0f} s"])
    said = f"\n{once['processors']} processors (load {once['load']:g} while it ran), Python {once['python']}, {once['date']}; "
    said += f"{once['packages']} packages, {once['disk_gb']:.1f} GB on disk. In a new kernel, all of it warm, the opening cells take "
    said += f"{once['warm_setup_seconds']:.1f} s ({once['warm_setup_cpu_seconds']:.1f} s of processor); "
    said += f"the import of torch alone {once['warm_torch_seconds']:.1f} s.\n"
    return table(["step", "takes"], rows) + said


def results(given: dict) -> str:
    """docs/results.md: every recorded figure."""
    shipped = recorded()
    parts = [
        "# Results\n\nEvery figure that a recorded run measured, beside what to compare it with; intervals are 95 % unless the name says otherwise."
    ]
    parts.append(f"Profile ci: simulated data, minutes. Profile laptop: real data where it exists. Written by `{AGAIN}`.\n")
    for name in lectures():
        blocks = [("ci", shipped[name, "ci"])] if (name, "ci") in shipped else []
        run = given["runs"].get(name, {}).get("laptop")
        blocks += [("laptop", [Result(**row) for row in run["figures"]])] if run else []
        link = f"[notebook](../{NOTEBOOKS.name}/{name}.ipynb)"
        parts.append(f"## Lecture {title(name).replace(' ', ': ', 1)}\n\n{link}\n")
        said = {"laptop": f"{words(name).get('setting', '')} Recorded {run['date']}.\n\n".lstrip()} if run else {}
        parts += [f"### Profile {profile}\n\n{said.get(profile, '')}{_figures(rows)}" for profile, rows in blocks]
    return "\n".join(parts)


TABLES = {
    "lectures": lecture_table, "cost": cost_table, "attacks": attack_table, "reached": reached_table, "speed": speed_table, "minutes": minutes_table,
}  # fmt: skip
