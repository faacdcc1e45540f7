def spin_echo(rho: np.ndarray, t1: np.ndarray, t2: np.ndarray, te: float, tr: float) -> np.ndarray:
    """With relaxation rates, and expm1."""
    if not te < tr:
        raise ValueError("the echo must come before the next pulse")
    rho, t1, t2 = (np.asarray(a, dtype=float) for a in (rho, t1, t2))
    signal = np.zeros(rho.shape)
    inside = np.minimum(t1, t2) > 0
    signal[inside] = -rho[inside] * np.expm1(-tr * (1 / t1[inside])) / np.exp(te * (1 / t2[inside]))
    return signal
