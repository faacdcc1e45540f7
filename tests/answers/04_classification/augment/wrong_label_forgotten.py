# expect: augment-image: return two things
def augment(image: np.ndarray, label: int, flip: bool, shift: int) -> tuple[np.ndarray, int]:
    if flip:
        image = image[:, ::-1]
    n, w = abs(shift), image.shape[1]
    wide = np.pad(image, ((0, 0), (n, n)), mode="edge")
    return wide[:, n - shift : n - shift + w].copy()
