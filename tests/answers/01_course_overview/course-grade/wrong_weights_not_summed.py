# expect: course-grade-refused: weights that sum to 90
def course_grade(marks: dict[str, float | None], weights: dict[str, float]) -> float:
    total = 0.0
    for part, mark in marks.items():
        if part not in weights or (mark is not None and not 0 <= mark <= 100):
            raise ValueError("not a mark")
        total += weights[part] * (mark or 0) / 100
    return total
