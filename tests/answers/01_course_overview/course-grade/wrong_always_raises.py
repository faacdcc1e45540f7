# expect: course-grade-refused, course-grade-value, course-grade-missing: not a mark
def course_grade(marks: dict[str, float | None], weights: dict[str, float]) -> float:
    raise ValueError("not a mark")
