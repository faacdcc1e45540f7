# expect: course-grade-value: random marks
def course_grade(marks: dict[str, float | None], weights: dict[str, float]) -> float:
    """The weighted grade of the course.

    Args:
        marks: part -> mark from 0 to 100. A part that is absent or None was not handed in and counts 0.
        weights: part -> weight in percent; they sum to 100.

    Returns:
        The grade, 0 to 100.

    Raises:
        ValueError: a mark is not between 0 and 100 (nan included), a mark names a part that has no weight, or the weights don't sum to 100.
    """
    if abs(sum(weights.values()) - 100) > 1e-9:
        raise ValueError("weights must sum to 100")
    for part, mark in marks.items():
        if part not in weights:
            raise ValueError("unknown part")
        if mark is not None and not 0 <= mark <= 100:
            raise ValueError("bad mark")
    return float(round(sum((marks.get(p) or 0) * w / 100 for p, w in weights.items())))
