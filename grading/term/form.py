"""The form of written works as scores: what `helpers.written` finds in the files that were handed in. No text is judged here."""

import csv
import io
from pathlib import Path

from grading.files import write_text
from grading.marking.record import ATTEMPT_COLUMNS
from grading.marking.submitted import handed_in, tasks
from grading.sources import SourceError
from helpers import written

MOST = 50_000_000  # bytes of a notebook that is read


def write_form(course: Path, work: str) -> list[tuple[str, float, list[str]]]:
    """Look at submitted/<student>/<work>/, and write form_scores.csv; rows of other works stay.

    Returns:
        Student, share of points that are there, what is missing.

    Raises:
        SourceError: nobody handed in.
    """
    everything = tasks(course, work)
    if not everything:
        raise SourceError(f"Nobody handed in {work}: there is no {course / 'submitted'}/<student>/{work}/.")
    path, item = course / "form_scores.csv", f"{work}_form"
    kept = []
    if path.is_file():
        with path.open(encoding="utf-8", newline="") as file:
            kept = [row for row in csv.DictReader(file) if row["item"] != item]
    found, rows = [], []
    for task in everything:
        try:
            if task.file is None or task.file.stat().st_size > MOST:
                raise ValueError(task.note or "the file is too large")
            points = written.check(task.file, work)
            share, missing = written.share(points), [point.what for point in points if not point.there]
        except (ValueError, RecursionError) as problem:
            share, missing = 0.0, [str(problem)]
        moment = handed_in(task)
        told = (task.student, item, f"{100 * share:.1f}", "100", f"{moment:%Y-%m-%d %H:%M:%S}+00:00" if moment else "")
        rows.append(dict(zip(ATTEMPT_COLUMNS, told, strict=True)))
        found.append((task.student, share, missing))
    out = io.StringIO()
    writer = csv.DictWriter(out, ATTEMPT_COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows([*kept, *rows])
    write_text(path, out.getvalue())
    return found
