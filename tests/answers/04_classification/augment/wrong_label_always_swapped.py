# expect: augment-label: without mirroring the label stays
def augment(image: np.ndarray, label: int, flip: bool, shift: int) -> tuple[np.ndarray, int]:
    label = (0, 2, 1)[label]
    if flip:
        image = image[:, ::-1]
    n, w = abs(shift), image.shape[1]
    wide = np.pad(image, ((0, 0), (n, n)), mode="edge")
    return wide[:, n - shift : n - shift + w].copy(), label
