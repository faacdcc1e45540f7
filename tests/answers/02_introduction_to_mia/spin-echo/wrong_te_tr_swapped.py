# expect: spin-echo-value, spin-echo-limits: swapped
def spin_echo(rho: np.ndarray, t1: np.ndarray, t2: np.ndarray, te: float, tr: float) -> np.ndarray:
    if te >= tr:
        raise ValueError("te must be shorter than tr")
    tissue = (t1 > 0) & (t2 > 0)
    t1, t2 = np.where(tissue, t1, 1.0), np.where(tissue, t2, 1.0)
    return np.where(tissue, rho * (1 - np.exp(-te / t1)) * np.exp(-tr / t2), 0.0)
