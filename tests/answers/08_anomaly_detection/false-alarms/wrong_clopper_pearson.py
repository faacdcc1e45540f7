# expect: false-alarms-interval: expected 0.145
from scipy.stats import binomtest

def false_alarms(scores, subjects, threshold):
    scores, subjects = np.asarray(scores, float), np.asarray(subjects)
    if len(scores) == 0 or len(scores) != len(subjects) or np.isnan(scores).any():
        raise ValueError("bad input")
    n = len(np.unique(subjects)); k = len(np.unique(subjects[scores > threshold]))
    ci = binomtest(k, n).proportion_ci()
    return k / n, ci.low, ci.high
