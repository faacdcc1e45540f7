# expect: augment-label: a mirrored right nodule (2) is a left nodule (1)
def augment(image: np.ndarray, label: int, flip: bool, shift: int) -> tuple[np.ndarray, int]:
    if flip:
        image = image[:, ::-1]
        if label == 1:
            label = 2
    n, w = abs(shift), image.shape[1]
    wide = np.pad(image, ((0, 0), (n, n)), mode="edge")
    return wide[:, n - shift : n - shift + w].copy(), label
