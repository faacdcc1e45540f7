def panoptic_quality(prediction, truth):
    prediction, truth = np.asarray(prediction), np.asarray(truth)
    ps, ts = np.unique(prediction[prediction != 0]), np.unique(truth[truth != 0])
    if len(ps) == 0 and len(ts) == 0:
        return 1.0, 1.0, 1.0
    total, tp = 0.0, 0
    for i in ps:
        for j in ts:
            a, b = prediction == i, truth == j
            iou = (a & b).sum() / (a | b).sum()
            if iou > 0.5:
                total += iou
                tp += 1
    if tp == 0:
        return 0.0, 0.0, 0.0
    fp, fn = len(ps) - tp, len(ts) - tp
    sq, rq = total / tp, tp / (tp + fp / 2 + fn / 2)
    return float(sq * rq), float(sq), float(rq)
