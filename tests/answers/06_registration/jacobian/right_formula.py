def folding(u, spacing, mask):
    if mask.sum() == 0:
        raise ValueError("empty mask")
    g = [np.gradient(c, *spacing) for c in u]
    for i in range(len(u)):
        g[i] = list(g[i])
        g[i][i] = g[i][i] + 1
    if len(u) == 2:
        j = g[0][0] * g[1][1] - g[0][1] * g[1][0]
    else:
        j = (g[0][0] * (g[1][1] * g[2][2] - g[1][2] * g[2][1]) - g[0][1] * (g[1][0] * g[2][2] - g[1][2] * g[2][0])
             + g[0][2] * (g[1][0] * g[2][1] - g[1][1] * g[2][0]))
    return j, np.count_nonzero(j[mask] <= 0) / np.count_nonzero(mask)
