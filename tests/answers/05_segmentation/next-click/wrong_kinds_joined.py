# expect: next-click-sign: joined to one piece
from scipy.ndimage import distance_transform_edt, label


def next_click(truth: np.ndarray, prediction: np.ndarray, spacing: tuple) -> tuple[tuple, bool] | None:
    best, piece, positive = 0, None, False
    for error, sign in ((truth ^ prediction, True),):
        labels, count = label(error)
        if count:
            sizes = np.bincount(labels.ravel())[1:]
            if sizes.max() > best:
                best, piece, positive = sizes.max(), labels == sizes.argmax() + 1, sign
    if piece is None:
        return None
    depth = distance_transform_edt(np.pad(piece, 1), sampling=spacing)
    place = np.unravel_index(depth.argmax(), depth.shape)
    place = tuple(int(i) - 1 for i in place)
    return place, bool(truth[place])
