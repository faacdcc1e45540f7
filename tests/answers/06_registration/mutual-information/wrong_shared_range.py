# expect: mutual-information-value: off
def mutual_information(a: np.ndarray, b: np.ndarray, bins: int = 32) -> float:
    counts = np.histogram2d(a.ravel(), b.ravel(), bins, range=[[min(a.min(), b.min()), max(a.max(), b.max())]] * 2)[0]
    p = counts / counts.sum()
    independent = p.sum(axis=1, keepdims=True) * p.sum(axis=0, keepdims=True)
    seen = p > 0
    return float((p[seen] * np.log(p[seen] / independent[seen])).sum())
