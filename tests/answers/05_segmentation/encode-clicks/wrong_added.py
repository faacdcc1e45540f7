# expect: encode-clicks-several: you add up clicks
def encode_clicks(clicks: list, shape: tuple, spacing: tuple, sigma: float) -> np.ndarray:
    maps, index = np.zeros((2, *shape)), np.indices(shape)
    scale = np.reshape(spacing, (-1,) + (1,) * len(shape))
    for place, positive in clicks:
        offset = (index - np.reshape(place, scale.shape)) * scale
        channel = 0 if positive else 1
        maps[channel] = maps[channel] + (np.exp(-(offset**2).sum(0) / (2 * sigma**2)))
    return maps
