from scipy import ndimage
from scipy.spatial import cKDTree


def next_click(truth: np.ndarray, prediction: np.ndarray, spacing: tuple) -> tuple[tuple, bool] | None:
    pieces = []
    for error, sign in ((np.logical_and(truth, ~prediction), True), (np.logical_and(~truth, prediction), False)):
        labels, n = ndimage.label(error)
        pieces += [(labels == i, sign) for i in range(1, n + 1)]
    if not pieces:
        return None
    piece, sign = max(pieces, key=lambda one: one[0].sum())
    padded = np.pad(piece, 1)
    inside = np.argwhere(padded)
    depth = cKDTree(np.argwhere(~padded) * np.array(spacing)).query(inside * np.array(spacing))[0]
    deepest = np.flatnonzero(depth == depth.max())[-1]
    return [int(i) - 1 for i in inside[deepest]], sign
