def predictive_values(tp: int, fp: int, fn: int, tn: int, prevalence: float) -> tuple[float, float]:
    if not 0 <= prevalence <= 1:
        raise ValueError("the prevalence must be a fraction between 0 and 1")
    if tp + fn == 0 or tn + fp == 0:
        raise ValueError("the study must hold sick and healthy patients")
    sick, healthy = prevalence / (tp + fn), (1 - prevalence) / (tn + fp)  # what one patient of the study stands for
    tp, fn, fp, tn = tp * sick, fn * sick, fp * healthy, tn * healthy
    ratio = lambda part, rest: part / (part + rest) if part + rest > 0 else float("nan")  # noqa: E731
    return ratio(tp, fp), ratio(tn, fn)
