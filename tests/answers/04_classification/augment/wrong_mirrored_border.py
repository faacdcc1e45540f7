# expect: augment-border: repeat the nearest column
def augment(image: np.ndarray, label: int, flip: bool, shift: int) -> tuple[np.ndarray, int]:
    if flip:
        image, label = image[:, ::-1], (0, 2, 1)[label]
    n, w = abs(shift), image.shape[1]
    wide = np.pad(image, ((0, 0), (n, n)), mode="symmetric")
    return wide[:, n - shift : n - shift + w].copy(), label
