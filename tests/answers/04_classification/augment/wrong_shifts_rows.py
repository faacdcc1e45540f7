# expect: augment-image, augment-border: column 0 should be in column 1
def augment(image: np.ndarray, label: int, flip: bool, shift: int) -> tuple[np.ndarray, int]:
    if flip:
        image, label = image[:, ::-1], (0, 2, 1)[label]
    rows = np.clip(np.arange(image.shape[0]) - shift, 0, image.shape[0] - 1)
    return image[rows], label
