# expect: box-constraint-edges: reaches beyond
def box_losses(p: np.ndarray, box: tuple[int, int, int, int]) -> tuple[float, float]:
    top, bottom, left, right = box
    if bottom <= top or right <= left:
        raise ValueError("the box is empty")
    inside = np.zeros(p.shape, bool)
    inside[top:bottom, left:right] = True
    inner = p[top:bottom, left:right]
    outside = 0.0 if inside.all() else float(-np.log(np.maximum(1 - p[~inside], 1e-6)).mean())
    return outside, float(-np.log(np.maximum(np.concatenate([inner.max(0), inner.max(1)]), 1e-6)).mean())
