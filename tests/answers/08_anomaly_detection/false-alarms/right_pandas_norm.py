def false_alarms(scores: np.ndarray, subjects: np.ndarray, threshold: float) -> tuple[float, float, float]:
    if len(scores) == 0 or len(scores) != len(subjects):
        raise ValueError("give each slice a score and a subject")
    if np.isnan(scores).any():
        raise ValueError("a score is nan")
    import pandas as pd
    from scipy.stats import norm
    called = pd.Series(np.asarray(scores)).groupby(np.asarray(subjects)).max() > threshold
    n, k, z = len(called), int(called.sum()), norm.ppf(0.975)
    centre, spread = (k + z * z / 2) / (n + z * z), z / (n + z * z) * np.sqrt(k * (n - k) / n + z * z / 4)
    return k / n, max(centre - spread, 0.0), min(centre + spread, 1.0)
