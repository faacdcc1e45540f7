def lesions_found(truth, marked):
    from skimage.measure import label

    if np.shape(truth) != np.shape(marked):
        raise ValueError("truth and mask differ in shape")
    sizes = {k: int((truth == k).sum()) for k in set(np.ravel(truth).tolist()) - {0}}
    hits = sum(10 * int(np.count_nonzero(marked & (truth == k))) >= size for k, size in sizes.items())
    pieces = label(marked, connectivity=marked.ndim)
    false = sum(not truth[pieces == k].any() for k in range(1, pieces.max() + 1))
    return (hits / len(sizes) if sizes else np.nan), false
