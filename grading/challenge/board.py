"""The tables of the challenge: the leaderboard while it runs, and the result on the private part when it is over. Nothing is scored here."""

import csv
import html
import io
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from grading.challenge import ledger
from grading.challenge.attempts import Teams, plain, predictions
from grading.challenge.cohort import FOLDER, RELEASE, read_rules, read_truth
from grading.challenge.scoring import Truth, auc, interval, on_grid
from grading.files import write_text
from grading.marking.record import ATTEMPT_COLUMNS
from grading.sources import SourceError
from grading.term.scheme import Scheme
from grading.term.teams import read_teams
from helpers import challenge

ITEM, SCORES = "final_project_challenge", "challenge_scores.csv"
RULE = "baseline: mean brightness"
STYLE = """body{font:16px/1.5 system-ui,sans-serif;max-width:56rem;margin:2rem auto;padding:0 1rem}
td,th{text-align:left;padding:.3rem .8rem;border-bottom:1px solid #777}"""


@dataclass(frozen=True)
class Row:
    """One line of a table; `scored` is the last scored entry, None for a baseline."""

    name: str
    score: float
    low: float
    high: float
    attempts: int = 0
    scored: ledger.Entry | None = None
    note: str = ""


def leaderboard(course: Path, scheme: Scheme, now: datetime) -> Path:
    """Write challenge/leaderboard.md and .html: what each team sees of itself, in steps.

    Returns:
        The Markdown file.
    """
    folder, rules, public = course / FOLDER, read_rules(course), read_truth(course)["public"]
    rows = []
    for team, entries in Teams(read_teams(course)).members(ledger.read(folder)).items():
        scored = [entry for entry in entries if entry.status == "scored"]
        if scored:
            best = max(scored, key=lambda entry: entry.shown)  # the first that reached it
            rows.append(Row(team, best.shown, best.low, best.high, len(scored), best))
    baseline = _brightness(folder, public)
    ends = [on_grid(end, rules.step) for end in interval(public, baseline)]
    rows.append(Row(RULE, on_grid(auc(public.labels, baseline), rules.step), *ends))
    title = f"Leaderboard, {now.astimezone(scheme.zone):%Y-%m-%d %H:%M %Z}"
    note = (
        f"AUC on the public part, {len(np.unique(public.patients))} patients, in steps of {rules.step:g}, with its 95 % bootstrap interval by "
        "patient. Equal scores share a rank, in the order in which they were reached. The private part decides at the end, by the last valid "
        "file of a team: choose on your own validation."
    )
    return _write(folder / "leaderboard", title, note, _table(_ranked(rows), ("rank", "team", "AUC", "95 % interval", "attempts"), 2))


def final(course: Path, scheme: Scheme) -> tuple[Path, Path]:
    """Write challenge/final.md and .html, and challenge_scores.csv, which `grades` reads: by the last valid file of each team, on the private part.

    Returns:
        The Markdown file and the table of scores.

    Raises:
        SourceError: nobody has a valid file, or a kept one was changed.
    """
    folder, truth, teams = course / FOLDER, read_truth(course), Teams(read_teams(course))
    private, cases = truth["private"], [str(case) for part in truth.values() for case in part.cases]
    values, rows = {}, []
    for team, entries in teams.members(ledger.read(folder)).items():
        scored = [entry for entry in entries if entry.status == "scored"]
        if scored:
            values[team] = predictions(folder, scored[-1], private, cases)
            rows.append(Row(team, round(auc(private.labels, values[team]), 3), *interval(private, values[team]), len(scored), scored[-1]))
    if not rows:
        raise SourceError("No team has a valid file yet: run `python -m grading challenge score` first.")
    first = _ranked(rows)[0][1]
    marked = []
    for row in rows:
        low, high = interval(private, values[first.name], values[row.name])
        apart = "" if row.name == first.name else "less than the first" if low > 0 else f"not told apart from the first ({low:+.3f} to {high:+.3f})"
        marked.append(Row(row.name, row.score, row.low, row.high, row.attempts, row.scored, apart))
    baseline = _brightness(folder, private)
    marked.append(Row(RULE, round(auc(private.labels, baseline), 3), *interval(private, baseline)))
    note = (
        f"AUC on the private part, {len(np.unique(private.patients))} patients, with its 95 % bootstrap interval by patient; the last column "
        "compares with the first on the same resampled patients. Equal scores share a rank."
    )
    columns = ("rank", "team", "AUC", "95 % interval", "attempts", "beside the first")
    page = _write(folder / "final", "Challenge: result", note, _table(_ranked(marked), columns, 3))
    return page, _scores(course, teams, rows)


def _scores(course: Path, teams: Teams, rows: list[Row]) -> Path:
    """Every member's points: 0 for an AUC of 0.5 or less, 100 for 1. They weigh nothing until a scheme names the item."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(ATTEMPT_COLUMNS)
    for row in sorted(rows, key=lambda row: row.name):
        members = sorted(student for student, team in teams.of.items() if team == row.name) or [row.scored.student]
        for student in members:
            writer.writerow((student, ITEM, f"{max(0.0, 200 * (row.score - 0.5)):.1f}", 100, row.scored.time))
    write_text(course / SCORES, out.getvalue())
    return course / SCORES


def _ranked(rows: list[Row]) -> list[tuple[str, Row]]:
    """Best first; equal scores share a rank, the earlier stands first; a baseline has no rank."""
    order = sorted(rows, key=lambda row: (-row.score, row.scored is None, row.scored.moment if row.scored else 0, row.name))
    teams = [row.score for row in order if row.scored]
    return [(str(1 + sum(score > row.score for score in teams)) if row.scored else "-", row) for row in order]


def _brightness(folder: Path, truth: Truth) -> np.ndarray:
    """The trivial rule: mean brightness of a film, its direction from the training films."""
    home, away = challenge.load(folder / RELEASE)
    direction = 1 if auc(home.labels, home.images.mean((1, 2))) >= 0.5 else -1
    bright = dict(zip(away.cases, direction * away.images.mean((1, 2)), strict=True))
    return np.array([bright[case] for case in truth.cases])


def _table(ranked: list[tuple[str, Row]], columns: tuple[str, ...], digits: int) -> list[list[str]]:
    rows = [list(columns)]
    for rank, row in ranked:
        ends = f"{row.low:.{digits}f} to {row.high:.{digits}f}"
        cells = [rank, row.name, f"{row.score:.{digits}f}", ends, str(row.attempts) if row.scored else "-", row.note]
        rows.append(cells[: len(columns)])
    return rows


def _write(stem: Path, title: str, note: str, rows: list[list[str]]) -> Path:
    """The same table as Markdown and as a page; names are words, never markup."""
    lines = ["| " + " | ".join(map(plain, row)) + " |" for row in rows]
    path = stem.with_suffix(".md")
    write_text(path, "\n".join([f"# {title}", "", note, "", lines[0], "|" + "---|" * len(rows[0]), *lines[1:]]) + "\n")
    head = "".join(f'<th scope="col">{html.escape(cell)}</th>' for cell in rows[0])
    body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows[1:])
    page = f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title><style>{STYLE}</style></head>'
    page += f"<body><h1>{html.escape(title)}</h1><p>{html.escape(note)}</p>"
    page += f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></body></html>\n"
    write_text(stem.with_suffix(".html"), page)
    return path
