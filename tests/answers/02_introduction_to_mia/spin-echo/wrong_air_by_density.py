# expect: spin-echo-air: even if rho
def spin_echo(rho: np.ndarray, t1: np.ndarray, t2: np.ndarray, te: float, tr: float) -> np.ndarray:
    if te >= tr:
        raise ValueError("te must be shorter than tr")
    tissue = rho > 0
    safe1, safe2 = np.where(t1 > 0, t1, 1.0), np.where(t2 > 0, t2, 1.0)
    return np.where(tissue, rho * (1 - np.exp(-tr / safe1)) * np.exp(-te / safe2), 0.0)
