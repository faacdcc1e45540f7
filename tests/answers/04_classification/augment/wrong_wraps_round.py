# expect: augment-border: came back on the left
def augment(image: np.ndarray, label: int, flip: bool, shift: int) -> tuple[np.ndarray, int]:
    if flip:
        image, label = image[:, ::-1], (0, 2, 1)[label]
    return np.roll(image, shift, axis=1), label
