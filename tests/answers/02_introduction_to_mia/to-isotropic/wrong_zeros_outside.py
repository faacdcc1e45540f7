# expect: to-isotropic-shape: beyond the last voxel
from scipy import ndimage


def to_isotropic(image: np.ndarray, label: np.ndarray, spacing: tuple, new: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    spacing = np.asarray(spacing, float)
    shape = tuple(max(1, int(round(n * s / new))) for n, s in zip(image.shape, spacing))
    image = ndimage.affine_transform(np.asarray(image, float), new / spacing, output_shape=shape, order=1, mode="constant")
    label = ndimage.affine_transform(label, new / spacing, output_shape=shape, order=0, mode="constant")
    return image, label
