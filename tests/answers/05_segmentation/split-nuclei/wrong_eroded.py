# expect: split-nuclei-whole: got no label
from scipy import ndimage


def split_nuclei(mask: np.ndarray, min_distance: int) -> np.ndarray:
    return ndimage.label(ndimage.distance_transform_edt(mask) > min_distance)[0]
