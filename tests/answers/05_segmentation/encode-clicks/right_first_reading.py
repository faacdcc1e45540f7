def encode_clicks(clicks, shape, spacing, sigma):
    maps = np.zeros((2, *shape))
    grid = np.indices(shape)
    for place, positive in clicks:
        d2 = sum(((g - p) * s) ** 2 for g, p, s in zip(grid, place, spacing))
        c = 0 if positive else 1
        maps[c] = np.maximum(maps[c], np.exp(-d2 / (2 * sigma**2)))
    return maps
