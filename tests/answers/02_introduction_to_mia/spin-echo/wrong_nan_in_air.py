# expect: spin-echo-air: air
def spin_echo(rho: np.ndarray, t1: np.ndarray, t2: np.ndarray, te: float, tr: float) -> np.ndarray:
    if te >= tr:
        raise ValueError("te must be shorter than tr")
    with np.errstate(all="ignore"):
        return rho * (1 - np.exp(-tr / t1)) * np.exp(-te / t2)
