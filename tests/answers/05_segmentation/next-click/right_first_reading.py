def next_click(truth, prediction, spacing):
    from scipy import ndimage
    truth, prediction = np.asarray(truth, bool), np.asarray(prediction, bool)
    best = None
    for positive, error in ((True, truth & ~prediction), (False, prediction & ~truth)):
        pieces, n = ndimage.label(error)
        if n:
            sizes = np.bincount(pieces.ravel())[1:]
            k = int(sizes.argmax())
            if best is None or sizes[k] > best[0]:
                best = sizes[k], pieces == k + 1, positive
    if best is None:
        return None
    _, piece, positive = best
    depth = ndimage.distance_transform_edt(np.pad(piece, 1), sampling=spacing)
    place = np.unravel_index(depth.argmax(), depth.shape)
    return tuple(int(i) - 1 for i in place), positive
