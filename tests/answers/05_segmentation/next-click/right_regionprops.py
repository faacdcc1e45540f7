from scipy.ndimage import distance_transform_edt
from skimage.measure import label


def next_click(truth: np.ndarray, prediction: np.ndarray, spacing: tuple) -> tuple[tuple, bool] | None:
    kinds = truth.astype(int) - prediction.astype(int)  # 1 missed, -1 false
    labels = label(kinds, background=0, connectivity=1)
    if labels.max() == 0:
        return None
    largest = np.argmax(np.bincount(labels[labels > 0]))
    here = np.pad(labels == largest, 1)
    inner = tuple(slice(1, -1) for _ in truth.shape)
    depth = distance_transform_edt(here, sampling=spacing)[inner]
    place = np.argwhere(depth == depth.max())[0]
    return tuple(place.tolist()), bool(truth[tuple(place)])
