def folding(u, spacing, mask):
    if mask.sum() == 0:
        raise ValueError("empty mask")
    g = [[np.gradient(u[i], spacing[j], axis=j) + (i == j) for j in range(len(u))] for i in range(len(u))]
    if len(u) == 2:
        det = g[0][0] * g[1][1] - g[0][1] * g[1][0]
    else:
        (a, b, c), (d, e, f), (h, i, j) = g
        det = a * (e * j - f * i) - b * (d * j - f * h) + c * (d * i - e * h)
    return det, (det[mask] <= 0).sum() / mask.sum()
