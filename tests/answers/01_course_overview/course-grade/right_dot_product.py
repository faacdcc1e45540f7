def course_grade(marks: dict[str, float | None], weights: dict[str, float]) -> float:
    if set(marks) - set(weights):
        raise ValueError("a mark without a weight")
    shares = np.array(list(weights.values()), float)
    values = np.array([0.0 if marks.get(part) is None else marks[part] for part in weights], float)
    if not np.isclose(shares.sum(), 100):
        raise ValueError("the weights must sum to 100")
    if not np.all((values >= 0) & (values <= 100)):
        raise ValueError("marks go from 0 to 100")
    return float(shares @ values) / 100
