# expect: to-isotropic-shape: (3, 4, 25)
def to_isotropic(image: np.ndarray, label: np.ndarray, spacing: tuple, new: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    from scipy import ndimage
    spacing = np.asarray(spacing, float)
    shape = tuple(max(1, int(n * s / new)) for n, s in zip(image.shape, spacing))
    m = new / spacing
    return (ndimage.affine_transform(image.astype(float), m, output_shape=shape, order=1, mode="nearest"),
            ndimage.affine_transform(label, m, output_shape=shape, order=0, mode="nearest"))
