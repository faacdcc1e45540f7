# expect: mutual-information-value: shares ln 4
def mutual_information(a: np.ndarray, b: np.ndarray, bins: int = 32) -> float:
    counts = np.histogram2d(a.ravel(), b.ravel(), bins)[0]
    p = np.histogram2d(a.ravel(), b.ravel(), bins, density=True)[0]
    independent = p.sum(axis=1, keepdims=True) * p.sum(axis=0, keepdims=True)
    seen = p > 0
    return float((p[seen] * np.log(p[seen] / independent[seen])).sum())
