# expect: spin-echo-air: must be 0
def spin_echo(rho: np.ndarray, t1: np.ndarray, t2: np.ndarray, te: float, tr: float) -> np.ndarray:
    if te >= tr:
        raise ValueError
    return rho * (1 - np.exp(-tr / (t1 + 1e-6))) * np.exp(-te / (t2 + 1e-6))
