# expect: mutual-information-value: rows tell nothing
def mutual_information(a: np.ndarray, b: np.ndarray, bins: int = 32) -> float:
    counts = np.histogram2d(a.ravel(), b.ravel(), bins)[0]
    p = counts / counts.sum()
    independent = np.outer(p.sum(axis=0), p.sum(axis=1))
    seen = p > 0
    return float((p[seen] * np.log(p[seen] / independent[seen])).sum())
