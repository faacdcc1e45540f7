def box_losses(p: np.ndarray, box: tuple[int, int, int, int]) -> tuple[float, float]:
    top, bottom, left, right = box
    if not (0 <= top < bottom <= p.shape[0] and 0 <= left < right <= p.shape[1]):
        raise ValueError("the box is empty or beyond the image")
    out = [-np.log(max(1 - p[r, c], 1e-6)) for r in range(p.shape[0]) for c in range(p.shape[1]) if not (top <= r < bottom and left <= c < right)]
    lines = [max(p[r, c] for c in range(left, right)) for r in range(top, bottom)] + [max(p[r, c] for r in range(top, bottom)) for c in range(left, right)]
    return (sum(out) / len(out) if out else 0.0), sum(-np.log(max(v, 1e-6)) for v in lines) / len(lines)
