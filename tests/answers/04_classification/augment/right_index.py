def augment(image: np.ndarray, label: int, flip: bool, shift: int) -> tuple[np.ndarray, int]:
    width = image.shape[1]
    source = np.clip(np.arange(width) - shift, 0, width - 1)
    if flip:
        source = width - 1 - source
        label = (0, 2, 1)[label]
    return image[:, source], label
