from scipy import ndimage
from skimage.feature import peak_local_max
from skimage.segmentation import watershed


def split_nuclei(mask: np.ndarray, min_distance: int) -> np.ndarray:
    blobs, n = ndimage.label(mask)
    out, used = np.zeros(mask.shape, int), 0
    for blob in range(1, n + 1):
        here = blobs == blob
        depth = ndimage.distance_transform_edt(mask) * here
        peaks = peak_local_max(depth, min_distance=min_distance, exclude_border=False)
        seeds = np.zeros(mask.shape, int)
        seeds[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
        part = watershed(-depth, seeds, mask=here)
        out[here] = part[here] + used
        used += len(peaks)
    return out
