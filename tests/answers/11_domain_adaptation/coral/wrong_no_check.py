# expect: coral-bad: raise a ValueError
def coral(source: np.ndarray, target: np.ndarray, ridge: float = 0.0) -> np.ndarray:
    d = source.shape[1]
    power = lambda c, p: (lambda v, u: (u * np.clip(v, 1e-15, None) ** p) @ u.T)(*np.linalg.eigh(np.nan_to_num(c.reshape(d, d)) + ridge * np.eye(d)))
    return (source - source.mean(0)) @ power(np.cov(source, rowvar=False), -0.5) @ power(np.cov(target, rowvar=False), 0.5) + target.mean(0)
