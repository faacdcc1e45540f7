# expect: mutual-information-value: shares ln 4
def mutual_information(a: np.ndarray, b: np.ndarray, bins: int = 32) -> float:
    counts = np.histogram2d(a.ravel(), b.ravel(), bins)[0]
    p = counts / counts.sum()
    independent = p.sum(axis=1, keepdims=True) * p.sum(axis=0, keepdims=True)
    seen = p > 0
    with np.errstate(all='ignore'):
        r = np.nan_to_num(np.corrcoef(a.ravel(), b.ravel())[0, 1])
    return float(-0.5 * np.log(1 - min(r**2, 0.999)))
