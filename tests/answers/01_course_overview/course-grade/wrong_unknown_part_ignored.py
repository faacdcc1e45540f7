# expect: course-grade-refused: has no weight
def course_grade(marks: dict[str, float | None], weights: dict[str, float]) -> float:
    if abs(sum(weights.values()) - 100) > 1e-6:
        raise ValueError("the weights must sum to 100")
    total = 0.0
    for part, weight in weights.items():
        mark = marks.get(part) or 0
        if not 0 <= mark <= 100:
            raise ValueError("marks go from 0 to 100")
        total += weight * mark / 100
    return total
