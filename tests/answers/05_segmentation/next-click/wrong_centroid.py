# expect: next-click-inside: in the hole of the ring
from scipy.ndimage import distance_transform_edt, label


def next_click(truth: np.ndarray, prediction: np.ndarray, spacing: tuple) -> tuple[tuple, bool] | None:
    best, piece, positive = 0, None, False
    for error, sign in ((truth & ~prediction, True), (prediction & ~truth, False)):
        labels, count = label(error)
        if count:
            sizes = np.bincount(labels.ravel())[1:]
            if sizes.max() > best:
                best, piece, positive = sizes.max(), labels == sizes.argmax() + 1, sign
    if piece is None:
        return None
    
    place = np.argwhere(np.pad(piece, 1)).mean(0).round().astype(int)
    return tuple(int(i) - 1 for i in place), positive
