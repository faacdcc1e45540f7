# expect: course-grade-refused: don't clip it
def course_grade(marks: dict[str, float | None], weights: dict[str, float]) -> float:
    if abs(sum(weights.values()) - 100) > 1e-6 or set(marks) - set(weights):
        raise ValueError("the weights must sum to 100 and cover every mark")
    return sum(weight * min(max(marks.get(part) or 0, 0), 100) for part, weight in weights.items()) / 100
