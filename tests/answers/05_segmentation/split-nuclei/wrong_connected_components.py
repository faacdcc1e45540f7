# expect: split-nuclei-touching: connected components are not instances
from scipy import ndimage


def split_nuclei(mask: np.ndarray, min_distance: int) -> np.ndarray:
    return ndimage.label(mask)[0]
