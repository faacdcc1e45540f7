# expect: split-nuclei-whole: some pixels of the mask have no label
from scipy import ndimage
from skimage.feature import peak_local_max
from skimage.segmentation import watershed


def split_nuclei(mask: np.ndarray, min_distance: int) -> np.ndarray:
    mask = np.asarray(mask, bool)
    depth = ndimage.distance_transform_edt(mask)
    blobs, n = ndimage.label(mask)
    summits = peak_local_max(depth, min_distance=min_distance, labels=blobs, exclude_border=False)
    seeds = np.zeros(mask.shape, int)
    for number, (row, column) in enumerate(summits, start=1):
        seeds[row, column] = number
    return watershed(-depth, seeds, mask=mask, watershed_line=True)
