from scipy import ndimage
from skimage.feature import peak_local_max
from skimage.segmentation import watershed


def split_nuclei(mask: np.ndarray, min_distance: int) -> np.ndarray:
    depth = ndimage.distance_transform_edt(mask)
    top = (depth == ndimage.maximum_filter(depth, size=3)) & mask
    blobs, n = ndimage.label(mask)
    seeds, number = np.zeros(mask.shape, int), 0
    for blob in range(1, n + 1):
        places = np.argwhere(top & (blobs == blob))
        places = places[np.argsort(-depth[tuple(places.T)], kind="stable")]
        kept = []
        for place in places:
            if all(np.hypot(*(place - other)) >= min_distance for other in kept):
                kept.append(place)
                number += 1
                seeds[tuple(place)] = number
    return watershed(-depth, seeds, mask=mask)
