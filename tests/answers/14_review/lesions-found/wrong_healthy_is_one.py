# expect: lesions-found-healthy: neither praise nor blame
def lesions_found(truth, marked):
    from scipy import ndimage

    if truth.shape != marked.shape:
        raise ValueError("shapes differ")
    lesions = [k for k in np.unique(truth) if k != 0]
    found = [marked[truth == k].mean() >= 0.1 for k in lesions]
    pieces, count = ndimage.label(marked, structure=np.ones((3,) * marked.ndim))
    touching = np.unique(pieces[(truth != 0) & (pieces != 0)])
    return (float(np.mean(found)) if found else 1.0), int(count - len(touching))
