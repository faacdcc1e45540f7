def separate_stains(rgb: np.ndarray, stains: np.ndarray, white: np.ndarray) -> np.ndarray:
    unit = np.array([row / np.sqrt(row @ row) for row in np.asarray(stains, dtype=float)])
    clipped = np.clip(np.asarray(rgb, dtype=float), 1, None)
    density = np.log10(white) - np.log10(clipped)
    amounts = np.linalg.solve(unit @ unit.T, unit @ density.reshape(-1, 3).T).T.reshape(*clipped.shape[:2], -1)
    return np.where(amounts > 0, amounts, 0.0)
