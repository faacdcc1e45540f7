# expect: course-grade-missing: NoneType
def course_grade(marks: dict[str, float | None], weights: dict[str, float]) -> float:
    if abs(sum(weights.values()) - 100) > 1e-6 or set(marks) - set(weights):
        raise ValueError("the weights must sum to 100 and cover every mark")
    if any(not 0 <= mark <= 100 for mark in marks.values() if mark is not None):
        raise ValueError("marks go from 0 to 100")
    return sum(weights[part] * mark for part, mark in marks.items()) / 100
