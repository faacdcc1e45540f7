# expect: split-nuclei-one: is min_distance used
from scipy import ndimage
from skimage.feature import peak_local_max
from skimage.segmentation import watershed


def split_nuclei(mask: np.ndarray, min_distance: int) -> np.ndarray:
    mask = np.asarray(mask, bool)
    depth = ndimage.distance_transform_edt(mask)
    blobs, n = ndimage.label(mask)
    summits = np.argwhere((depth == ndimage.maximum_filter(depth, 3)) & mask)
    seeds = np.zeros(mask.shape, int)
    for number, (row, column) in enumerate(summits, start=1):
        seeds[row, column] = number
    return watershed(-depth, seeds, mask=mask)
