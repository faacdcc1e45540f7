# expect: box-constraint-edges: give inf
def box_losses(p: np.ndarray, box: tuple[int, int, int, int]) -> tuple[float, float]:
    top, bottom, left, right = box
    if not (0 <= top < bottom <= p.shape[0] and 0 <= left < right <= p.shape[1]):
        raise ValueError("the box is empty or beyond the image")
    inside = np.zeros(p.shape, bool)
    inside[top:bottom, left:right] = True
    inner = p[top:bottom, left:right]
    with np.errstate(divide="ignore"):
        outside = 0.0 if inside.all() else float(-np.log(1 - p[~inside]).mean())
        return outside, float(-np.log(np.concatenate([inner.max(0), inner.max(1)])).mean())
