# expect: course-grade-refused: with a tolerance
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
    if sum(weights.values()) != 100:
        raise ValueError("weights must sum to 100")
    if set(marks) - set(weights):
        raise ValueError("unknown part")
    grade = 0.0
    for part, weight in weights.items():
        mark = marks.get(part)
        if mark is None:
            mark = 0
        if not 0 <= mark <= 100:
            raise ValueError("bad mark")
        grade += mark * weight / 100
    return grade
