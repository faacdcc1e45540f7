# expect: augment-border: in place
def augment(image: np.ndarray, label: int, flip: bool, shift: int) -> tuple[np.ndarray, int]:
    width = image.shape[1]
    if flip:
        image[:] = image[:, ::-1].copy()
        label = (0, 2, 1)[label]
    image[:] = image[:, np.clip(np.arange(width) - shift, 0, width - 1)]
    return image, label
