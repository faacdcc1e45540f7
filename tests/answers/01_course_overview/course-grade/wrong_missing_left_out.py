# expect: course-grade-missing, course-grade-refused: keeps its weight
def course_grade(marks: dict[str, float | None], weights: dict[str, float]) -> float:
    if abs(sum(weights.values()) - 100) > 1e-6:
        raise ValueError("the weights must sum to 100")
    for part, mark in marks.items():
        if part not in weights:
            raise ValueError(f"{part} has no weight")
        if mark is not None and not 0 <= mark <= 100:
            raise ValueError(f"{part}: {mark} is not a mark")

    given = {part: mark for part, mark in marks.items() if mark is not None}
    known = sum(weights[part] for part in given)
    return sum(weights[part] * mark for part, mark in given.items()) / known if known else 0.0
