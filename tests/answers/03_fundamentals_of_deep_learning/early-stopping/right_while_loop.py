def early_stopping(val: np.ndarray, test: np.ndarray, patience: int) -> tuple[int, int, float]:
    if not patience >= 1:
        raise ValueError("no patience")
    run, kept = 0, None
    left = patience
    while run < len(val) and left > 0:
        better = not np.isnan(val[run]) and (kept is None or val[run] < val[kept])
        if better:
            kept, left = run, patience
        else:
            left -= 1
        run += 1
    return [run, kept, test[kept]]
