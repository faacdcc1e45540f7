# expect: spin-echo-value, spin-echo-limits, spin-echo-air: te must
def spin_echo(rho: np.ndarray, t1: np.ndarray, t2: np.ndarray, te: float, tr: float) -> np.ndarray:
    raise ValueError("te must be shorter than tr")
