# expect: adjusted-p-step-up: the step up is missing
def adjusted_p(p: np.ndarray) -> np.ndarray:
    p = np.asarray(p, dtype=float)
    if p.ndim != 1 or len(p) == 0 or np.isnan(p).any() or p.min() < 0 or p.max() > 1:
        raise ValueError("p-values from 0 to 1 are needed")
    m = len(p)
    order = np.argsort(p)
    scaled = p[order] * m / np.arange(1, m + 1)
    answer = np.empty(m)
    answer[order] = np.minimum(1.0, scaled)
    return answer
