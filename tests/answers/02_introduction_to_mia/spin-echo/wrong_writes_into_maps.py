# expect: spin-echo-air: work on copies
def spin_echo(rho: np.ndarray, t1: np.ndarray, t2: np.ndarray, te: float, tr: float) -> np.ndarray:
    if te >= tr:
        raise ValueError
    air = (t1 == 0) | (t2 == 0)
    t1[air] = 1
    t2[air] = 1
    s = rho * (1 - np.exp(-tr / t1)) * np.exp(-te / t2)
    s[air] = 0
    return s
