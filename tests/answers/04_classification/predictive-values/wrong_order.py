# expect: predictive-values-ppv, predictive-values-npv: 9 of 108 alarms are true
def predictive_values(tp: int, fp: int, fn: int, tn: int, prevalence: float) -> tuple[float, float]:
    if not 0 <= prevalence <= 1:
        raise ValueError("the prevalence must be a fraction between 0 and 1")
    if tp + fn == 0 or tn + fp == 0:
        raise ValueError("the study must hold sick and healthy patients")
    sens, spec = tp / (tp + fn), tn / (tn + fp)
    alarm, calm = sens * prevalence + (1 - spec) * (1 - prevalence), spec * (1 - prevalence) + (1 - sens) * prevalence
    ppv = sens * prevalence / alarm if alarm > 0 else float("nan")
    npv = spec * (1 - prevalence) / calm if calm > 0 else float("nan")
    return npv, ppv
