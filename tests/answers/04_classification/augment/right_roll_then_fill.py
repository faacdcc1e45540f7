def augment(image: np.ndarray, label: int, flip: bool, shift: int) -> tuple[np.ndarray, int]:
    if flip:
        image = np.fliplr(image)
        label = 3 - label if label else 0
    moved = np.roll(image, shift, axis=1)
    if shift > 0:
        moved[:, :shift] = image[:, :1]
    elif shift < 0:
        moved[:, shift:] = image[:, -1:]
    return moved, label
