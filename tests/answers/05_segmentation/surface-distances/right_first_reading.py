def surface_distances(a, b, spacing):
    from scipy import ndimage
    a, b = np.asarray(a, bool), np.asarray(b, bool)
    if a.shape != b.shape:
        raise ValueError("the shapes differ")
    if not all(s > 0 for s in spacing):
        raise ValueError("spacing must be above 0")
    sa, sb = a & ~ndimage.binary_erosion(a), b & ~ndimage.binary_erosion(b)

    def one_way(s, t):
        if not t.any():
            return np.full(s.sum(), np.inf)
        return ndimage.distance_transform_edt(~t, sampling=spacing)[s]

    return one_way(sa, sb), one_way(sb, sa)
