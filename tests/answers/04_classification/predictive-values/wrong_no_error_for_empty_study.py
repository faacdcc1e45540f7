# expect: predictive-values-limits: has no PPV
def predictive_values(tp: int, fp: int, fn: int, tn: int, prevalence: float) -> tuple[float, float]:
    """Carry a study's 2x2 table over to a population with another prevalence.

    Args:
        tp, fp, fn, tn: numbers of true positive, false positive, false negative and true negative patients in the study.
        prevalence: fraction of sick people in the new population, 0 to 1 (0.05, not 5).

    Returns:
        (PPV, NPV) in the new population, each 0 to 1; nan where nobody would get such a result.

    Raises:
        ValueError: the prevalence is outside 0 to 1, or the study has no sick or no healthy patient.
    """
    if prevalence < 0 or prevalence > 1:
        raise ValueError("prevalence must be between 0 and 1")
    sens, spec = tp / (tp + fn), tn / (tn + fp)
    ppv = sens * prevalence / (sens * prevalence + (1 - spec) * (1 - prevalence))
    npv = spec * (1 - prevalence) / (spec * (1 - prevalence) + (1 - sens) * prevalence)
    return ppv, npv
