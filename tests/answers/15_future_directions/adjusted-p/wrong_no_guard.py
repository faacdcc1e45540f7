# expect: adjusted-p-bad: must raise a ValueError
def adjusted_p(p: np.ndarray) -> np.ndarray:
    p = np.asarray(p, dtype=float)
    m = len(p)
    order = np.argsort(p)
    scaled = p[order] * m / np.arange(1, m + 1)
    answer = np.empty(m)
    answer[order] = np.minimum(1.0, np.minimum.accumulate(scaled[::-1])[::-1])
    return answer
