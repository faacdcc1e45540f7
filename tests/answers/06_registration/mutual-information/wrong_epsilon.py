# expect: mutual-information-value: shares ln 4
def mutual_information(a: np.ndarray, b: np.ndarray, bins: int = 32) -> float:
    counts = np.histogram2d(a.ravel(), b.ravel(), bins)[0]
    p = counts / counts.sum()
    independent = p.sum(axis=1, keepdims=True) * p.sum(axis=0, keepdims=True)
    seen = p > 0
    return float((p * np.log((p + 1e-2) / (independent + 1e-2))).sum())
