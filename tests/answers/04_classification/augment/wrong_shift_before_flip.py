# expect: augment-image, augment-border: mirror first
def augment(image: np.ndarray, label: int, flip: bool, shift: int) -> tuple[np.ndarray, int]:
    width = image.shape[1]
    image = image[:, np.clip(np.arange(width) - shift, 0, width - 1)]
    if flip:
        image, label = image[:, ::-1], (0, 2, 1)[label]
    return image, label
