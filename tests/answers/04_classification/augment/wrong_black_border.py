# expect: augment-border: repeat the nearest column
def augment(image: np.ndarray, label: int, flip: bool, shift: int) -> tuple[np.ndarray, int]:
    if flip:
        image, label = image[:, ::-1], (0, 2, 1)[label]
    moved, w = np.zeros_like(image), image.shape[1]
    if shift >= 0:
        moved[:, shift:] = image[:, : w - shift]
    else:
        moved[:, :shift] = image[:, -shift:]
    return moved, label
