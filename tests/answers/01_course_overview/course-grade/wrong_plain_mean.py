# expect: course-grade-value, course-grade-missing, course-grade-refused: plain mean
def course_grade(marks: dict[str, float | None], weights: dict[str, float]) -> float:
    if abs(sum(weights.values()) - 100) > 1e-6:
        raise ValueError("the weights must sum to 100")
    for part, mark in marks.items():
        if part not in weights:
            raise ValueError(f"{part} has no weight")
        if mark is not None and not 0 <= mark <= 100:
            raise ValueError(f"{part}: {mark} is not a mark")

    return sum(marks.get(part) or 0 for part in weights) / len(weights)
