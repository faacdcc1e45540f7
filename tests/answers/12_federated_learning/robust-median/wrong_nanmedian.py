# expect: robust-median-finite: left out altogether
def median_update(updates: np.ndarray) -> np.ndarray:
    if len(updates) == 0 or np.isnan(updates).all():
        raise ValueError('no hospital')
    return np.nanmedian(updates, axis=0)
