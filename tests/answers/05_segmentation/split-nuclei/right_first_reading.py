def split_nuclei(mask, min_distance):
    from scipy import ndimage
    from skimage.feature import peak_local_max
    from skimage.segmentation import watershed
    mask = np.asarray(mask, bool)
    distance = ndimage.distance_transform_edt(mask)
    peaks = peak_local_max(distance, min_distance=min_distance, labels=ndimage.label(mask)[0], exclude_border=False)
    seeds = np.zeros(mask.shape, int)
    seeds[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    return watershed(-distance, seeds, mask=mask)
