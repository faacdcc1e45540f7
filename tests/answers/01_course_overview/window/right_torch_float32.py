def window(hu: np.ndarray, level: float, width: float) -> np.ndarray:
    if not width > 0:
        raise ValueError("the width must be positive")
    values = torch.tensor(np.asarray(hu).astype("float32"))
    return ((values - level) / width + 0.5).clamp(0, 1).numpy()
