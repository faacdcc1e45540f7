# expect: ncc-value: this is a covariance
def ncc(a: np.ndarray, b: np.ndarray) -> float:
    if a.shape != b.shape:
        raise ValueError(f"the images have the shapes {a.shape} and {b.shape}: bring them onto one grid first")
    if a.min() == a.max() or b.min() == b.max():
        return 0.0
    a, b = a.astype(float) - a.mean(), b.astype(float) - b.mean()
    return float((a * b).sum() / a.size)
