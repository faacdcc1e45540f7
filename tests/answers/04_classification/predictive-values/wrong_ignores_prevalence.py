# expect: predictive-values-ppv, predictive-values-npv, predictive-values-limits: the new prevalence must come in by Bayes
def predictive_values(tp: int, fp: int, fn: int, tn: int, prevalence: float) -> tuple[float, float]:
    if not 0 <= prevalence <= 1:
        raise ValueError("the prevalence must be a fraction between 0 and 1")
    if tp + fn == 0 or tn + fp == 0:
        raise ValueError("the study must hold sick and healthy patients")
    return (tp / (tp + fp) if tp + fp else float("nan")), (tn / (tn + fn) if tn + fn else float("nan"))
