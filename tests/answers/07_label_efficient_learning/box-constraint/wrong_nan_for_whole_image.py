# expect: box-constraint-edges: nothing is outside
def box_losses(p: np.ndarray, box: tuple[int, int, int, int]) -> tuple[float, float]:
    top, bottom, left, right = box
    if not (0 <= top < bottom <= p.shape[0] and 0 <= left < right <= p.shape[1]):
        raise ValueError("the box is empty or beyond the image")
    inside = np.zeros(p.shape, bool)
    inside[top:bottom, left:right] = True
    inner = p[top:bottom, left:right]
    rest = -np.log(np.maximum(1 - p[~inside], 1e-6))
    outside = float(rest.sum() / np.float64(rest.size)) if rest.size else float("nan")
    return outside, float(-np.log(np.maximum(np.concatenate([inner.max(0), inner.max(1)]), 1e-6)).mean())
