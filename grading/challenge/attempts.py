"""From handed-in files to entries of the ledger: which files are new, who may still ask, and what is answered."""

import hashlib
import os
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np

from grading.challenge import ledger
from grading.challenge.cohort import FOLDER, Rules, read_rules, read_truth
from grading.challenge.scoring import Truth, auc, interval, ladder, on_grid
from grading.files import write_text
from grading.sources import SourceError
from grading.term.scheme import Scheme
from grading.term.teams import read_teams
from helpers import challenge

PART, KEPT, ANSWERS, PLACE = "final_project", "kept", "answers", "challenge"
MOST_FILES = 200  # of one student that are looked at in a run


@dataclass
class Scored:
    """What one run did: new entries, and files that wait for another day as (student, file)."""

    entries: list[ledger.Entry] = field(default_factory=list)
    waiting: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Teams:
    """Teams by student; who is in none is one alone."""

    of: dict[str, str]

    def team(self, student: str) -> str:
        """The team's name; a student alone who is called like a team is no member of it."""
        return self.of.get(student) or (f"{student} (alone)" if student in self.of.values() else student)

    def members(self, entries: list[ledger.Entry]) -> dict[str, list[ledger.Entry]]:
        """Entries by team, in the order of the ledger: what is counted is counted for the team as it is now, in whose folder ever the file lay."""
        found: dict[str, list[ledger.Entry]] = {}
        for entry in entries:
            found.setdefault(self.team(entry.student), []).append(entry)
        return found


def score(course: Path, scheme: Scheme, now: datetime) -> Scored:
    """Look at every new file under submitted/<student>/challenge/, oldest first, and write the ledger and each team's answers.

    Args:
        course: the course directory; scheme: for its time zone and the project's due time; now: with a time zone.

    Returns:
        What was done. A second call at the same time does nothing.

    Raises:
        SourceError: there is no challenge, the ledger was changed, or the clock goes backwards.
    """
    folder, rules, truth, teams = course / FOLDER, read_rules(course), read_truth(course), Teams(read_teams(course))
    cases = [str(case) for part in truth.values() for case in part.cases]
    due, done = _closes(scheme), Scored()
    with ledger.opened(folder) as book:
        if book.entries and now < book.entries[-1].moment:
            raise SourceError(f"The clock says {now:%Y-%m-%d %H:%M %Z}, but the ledger's last entry is of {book.entries[-1].time}: set the clock.")
        seen = {(entry.student, entry.file, entry.digest) for entry in book.entries}
        for student, path in _files(course):
            content = _content(path)
            digest = hashlib.sha256(content).hexdigest() if content is not None else ""
            if (student, path.name, digest) in seen:
                continue
            of_team = teams.members(book.entries).get(teams.team(student), [])
            made = {"time": now.isoformat(), "student": student, "file": path.name, "digest": digest}
            if due is not None and now > due:
                entry = ledger.Entry(**made, status="late", said=f"the challenge closed on {due.astimezone(scheme.zone):%Y-%m-%d %H:%M %Z}")
            else:
                found = _judge(content, made, cases, truth["public"], of_team, rules, now, scheme)
                if found is None:
                    done.waiting.append((student, path.name))
                    continue
                entry = found
            if entry.status == "scored":
                (folder / KEPT).mkdir(exist_ok=True, mode=0o700)
                _keep(folder / KEPT / f"{digest}.csv", content)
            book.append(entry)
            done.entries.append(entry)
            seen.add((student, path.name, digest))
        entries = book.entries
    for team, of_team in teams.members(entries).items():
        waiting = [file for student, file in done.waiting if teams.team(student) == team]
        write_text(folder / ANSWERS / f"{team}.md", _answers(team, of_team, waiting, rules, scheme))
    return done


def _judge(
    content: bytes | None, made: dict, cases: list[str], truth: Truth, of_team: list[ledger.Entry], rules: Rules, now: datetime, scheme: Scheme
) -> ledger.Entry | None:
    """The entry of one file; None if its team has no attempt left today."""
    if content is None:
        return ledger.Entry(**made, status="malformed", said="the file is a link, no ordinary file, or too large, and was not opened")
    try:
        told = challenge.read(content, cases)
    except ValueError as problem:  # says nothing about a label, so it costs no attempt
        return ledger.Entry(**made, status="malformed", said=str(problem))
    scored = [entry for entry in of_team if entry.status == "scored"]
    if len(scored) >= rules.attempts:
        return ledger.Entry(**made, status="spent", said=f"all {rules.attempts} attempts of the team are used")
    today = now.astimezone(scheme.zone).date()
    if Counter(entry.moment.astimezone(scheme.zone).date() for entry in scored)[today] >= rules.per_day:
        return None
    values = np.array([told[str(case)] for case in truth.cases])
    before = scored[-1] if scored else None
    shown, rose = ladder(before.shown if before else None, auc(truth.labels, values), rules.step)
    ends = [on_grid(end, rules.step) for end in interval(truth, values)] if rose else [before.low, before.high]
    said = f"the score is {shown:.2f} now" if rose else f"not better than {shown:.2f} by more than {rules.step:g}"
    return ledger.Entry(**made, status="scored", said=said, shown=shown, rose=rose, low=ends[0], high=ends[1])


def predictions(folder: Path, entry: ledger.Entry, truth: Truth, cases: list[str]) -> np.ndarray:
    """What a scored entry predicted, in the order of `truth`, from the copy that was kept.

    Raises:
        SourceError: the copy is missing or was changed.
    """
    path = folder / KEPT / f"{entry.digest}.csv"
    content = path.read_bytes() if path.is_file() else b""
    if hashlib.sha256(content).hexdigest() != entry.digest:
        raise SourceError(f"{path}, which {entry.student} handed in on {entry.time}, is missing or was changed: put it back from a copy.")
    told = challenge.read(content, cases)
    return np.array([told[str(case)] for case in truth.cases])


def _closes(scheme: Scheme) -> datetime | None:
    part = scheme.parts.get(PART)
    return part.due + part.late.grace if part and part.due else None


def _files(course: Path) -> list[tuple[str, Path]]:
    """Student and file, oldest first; only names that end in .csv, in folders that are no links."""
    found = []
    for folder in sorted((course / "submitted").glob(f"*/{PLACE}")):
        if folder.is_symlink() or folder.parent.is_symlink() or not folder.is_dir():
            continue
        files = [path for path in sorted(folder.iterdir()) if path.suffix.lower() == ".csv"][:MOST_FILES]
        found += [(path.lstat().st_mtime_ns, folder.parent.name, path.name, path) for path in files]
    return [(student, path) for _, student, _, path in sorted(found)]


def _content(path: Path) -> bytes | None:
    """The bytes of an ordinary file that is not too large; links are not followed, and a pipe is not waited for."""
    if not path.is_file() or path.is_symlink():
        return None
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(handle, "rb") as file:
            content = file.read(challenge.MOST_BYTES + 1)
    except OSError:
        return None
    return content if len(content) <= challenge.MOST_BYTES else None


def _keep(path: Path, content: bytes) -> None:
    part = path.with_suffix(".part")
    part.write_bytes(content)
    part.replace(path)


def _answers(team: str, entries: list[ledger.Entry], waiting: list[str], rules: Rules, scheme: Scheme) -> str:
    """What a team may know: each file with its sentence, what waits, and how many attempts are left."""
    left = rules.attempts - sum(entry.status == "scored" for entry in entries)
    told = f"{left} of {rules.attempts} attempts left. The last valid file counts in the end."
    lines = [f"# Challenge: {team}", "", told, "", "| when | file | answer |", "|---|---|---|"]
    for entry in entries:
        lines.append(f"| {entry.moment.astimezone(scheme.zone):%Y-%m-%d %H:%M} | {plain(entry.file)[:60]} | {plain(entry.said)} |")
    lines += [f"| - | {plain(file)[:60]} | waits for another day: {rules.per_day} a day |" for file in waiting]
    return "\n".join(lines) + "\n"


def plain(text: str) -> str:
    """Text for a cell of a Markdown table: what could be markup, or can't be printed, becomes a question mark."""
    return "".join(sign if sign.isprintable() and sign not in "|<>`[]*" else "?" for sign in text)
