from scipy.ndimage import distance_transform_edt


def encode_clicks(clicks: list, shape: tuple, spacing: tuple, sigma: float) -> np.ndarray:
    out = []
    for kind in (True, False):
        away = np.ones(shape, bool)
        for place, positive in clicks:
            if bool(positive) == kind:
                away[tuple(place)] = False
        out.append(np.zeros(shape) if away.all() else np.exp(-0.5 * (distance_transform_edt(away, sampling=spacing) / sigma) ** 2))
    return np.stack(out)
