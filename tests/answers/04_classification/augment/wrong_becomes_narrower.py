# expect: augment-image, augment-border: keep its width
def augment(image: np.ndarray, label: int, flip: bool, shift: int) -> tuple[np.ndarray, int]:
    if flip:
        image, label = image[:, ::-1], (0, 2, 1)[label]
    return (image[:, :-shift] if shift > 0 else image[:, -shift:]).copy(), label
