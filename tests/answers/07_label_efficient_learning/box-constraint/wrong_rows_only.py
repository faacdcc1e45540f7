# expect: box-constraint-tight: not the mean over all its rows and columns
def box_losses(p: np.ndarray, box: tuple[int, int, int, int]) -> tuple[float, float]:
    top, bottom, left, right = box
    if not (0 <= top < bottom <= p.shape[0] and 0 <= left < right <= p.shape[1]):
        raise ValueError("the box is empty or beyond the image")
    inside = np.zeros(p.shape, bool)
    inside[top:bottom, left:right] = True
    inner = p[top:bottom, left:right]
    outside = 0.0 if inside.all() else float(-np.log(np.maximum(1 - p[~inside], 1e-6)).mean())
    return outside, float(-np.log(np.maximum(inner.max(1), 1e-6)).mean())
