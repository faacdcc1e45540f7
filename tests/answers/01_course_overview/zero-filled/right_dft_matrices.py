def zero_filled(kspace: np.ndarray, mask: np.ndarray) -> np.ndarray:
    rows, columns = kspace.shape
    y, x = np.arange(rows) - rows // 2, np.arange(columns) - columns // 2
    left = np.exp(2j * np.pi * np.outer(y, y) / rows) / np.sqrt(rows)
    right = np.exp(2j * np.pi * np.outer(x, x) / columns) / np.sqrt(columns)
    measured = np.zeros(kspace.shape, dtype=complex)
    measured[mask] = kspace[mask]
    return left @ measured @ right
