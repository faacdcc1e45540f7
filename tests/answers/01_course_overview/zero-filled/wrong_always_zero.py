# expect: zero-filled-skipped, zero-filled-inverse, zero-filled-phase: empty
def zero_filled(kspace: np.ndarray, mask: np.ndarray) -> np.ndarray:
    return np.zeros(kspace.shape, dtype=complex)
