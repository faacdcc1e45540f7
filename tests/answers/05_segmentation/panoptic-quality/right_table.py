def panoptic_quality(prediction: np.ndarray, truth: np.ndarray):
    p = np.unique(np.r_[0, prediction.ravel()], return_inverse=True)[1][1:]
    t = np.unique(np.r_[0, truth.ravel()], return_inverse=True)[1][1:]
    table = np.zeros((p.max() + 1, t.max() + 1))
    np.add.at(table, (p, t), 1)
    a, b = table.sum(1)[1:], table.sum(0)[1:]
    if len(a) + len(b) == 0:
        return np.ones(3)
    inter = table[1:, 1:]
    iou = inter / (a[:, None] + b[None] - inter)
    hit = iou > 0.5
    if not hit.any():
        return np.zeros(3)
    sq, rq = iou[hit].mean(), 2 * hit.sum() / (len(a) + len(b))
    return np.array([sq * rq, sq, rq])
