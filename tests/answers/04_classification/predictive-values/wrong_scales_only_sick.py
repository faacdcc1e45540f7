# expect: predictive-values-ppv, predictive-values-npv: 9 of 108 alarms
def predictive_values(tp: int, fp: int, fn: int, tn: int, prevalence: float) -> tuple[float, float]:
    if not 0 <= prevalence <= 1:
        raise ValueError("the prevalence must be a fraction between 0 and 1")
    if tp + fn == 0 or tn + fp == 0:
        raise ValueError("the study must hold sick and healthy patients")
    factor = prevalence / ((tp + fn) / (tp + fp + fn + tn))
    return tp * factor / max(tp * factor + fp, 1e-12), tn / max(tn + fn * factor, 1e-12)
