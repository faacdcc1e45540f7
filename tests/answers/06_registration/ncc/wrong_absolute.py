# expect: ncc-value: keep the sign
def ncc(a: np.ndarray, b: np.ndarray) -> float:
    if a.shape != b.shape:
        raise ValueError(f"the images have the shapes {a.shape} and {b.shape}: bring them onto one grid first")
    if a.min() == a.max() or b.min() == b.max():
        return 0.0
    a, b = a.astype(float) - a.mean(), b.astype(float) - b.mean()
    return float(abs((a * b).sum() / np.sqrt((a**2).sum() * (b**2).sum())))
