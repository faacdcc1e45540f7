def box_losses(p: np.ndarray, box: tuple[int, int, int, int]) -> tuple[float, float]:
    top, bottom, left, right = box
    if not (0 <= top < bottom <= p.shape[0] and 0 <= left < right <= p.shape[1]):
        raise ValueError("the box is empty or beyond the image")
    cost_in = -np.log(np.clip(p, 1e-6, None))[top:bottom, left:right]
    cost_out = -np.log(np.clip(1 - p, 1e-6, None))
    h, w = cost_in.shape
    n = p.size - h * w
    outside = (cost_out.sum() - cost_out[top:bottom, left:right].sum()) / n if n else 0.0
    return outside, (cost_in.min(axis=0).sum() + cost_in.min(axis=1).sum()) / (h + w)
