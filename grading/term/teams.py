"""Who works with whom: teams.csv of a course directory. Who is in no team is one alone."""

import re
from pathlib import Path

from grading.sources import SourceError

TEAMS = "teams.csv"
NAME = re.compile(r"[^\W_][\w .'-]{0,39}")


def read_teams(course: Path) -> dict[str, str]:
    """Student -> team; empty without the table.

    Raises:
        SourceError: a name that can't be, or a student in two teams.
    """
    from grading.term.scores import rows_of

    found: dict[str, str] = {}
    for row, where in rows_of(course / TEAMS, ("team", "student")):
        if not NAME.fullmatch(row["team"]):
            raise SourceError(f"{where}: {row['team']!r} can't be a team's name: up to 40 letters, digits, blanks and . ' - are allowed.")
        if row["student"] in found:
            raise SourceError(f"{where}: {row['student']} is in team {found[row['student']]} already; a student has one team.")
        found[row["student"]] = row["team"]
    return found
