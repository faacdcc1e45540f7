# expect: ncc-invariance: turn them into floats
def ncc(a: np.ndarray, b: np.ndarray) -> float:
    if a.shape != b.shape:
        raise ValueError(f"the images have the shapes {a.shape} and {b.shape}: bring them onto one grid first")
    if a.min() == a.max() or b.min() == b.max():
        return 0.0
    return float(((a * b).mean() - a.mean() * b.mean()) / (a.std() * b.std()))
