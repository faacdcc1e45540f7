def deletion_curve(score, image, heat, baseline, steps):
    if image.shape != heat.shape or image.shape != baseline.shape or steps < 1 or steps > heat.numel() or bool(heat.isnan().any()):
        raise ValueError("bad input")
    order = np.argsort(-heat.numpy().reshape(-1), kind="stable")
    frame, fill = image.clone().reshape(-1), baseline.reshape(-1)
    scores = [float(score(image[None])[0])]
    for k in range(1, steps + 1):
        rows = order[: k * len(order) // steps].copy()
        frame[rows] = fill[rows]
        scores.append(float(score(frame.reshape(1, *image.shape))[0]))
    area = sum((a + b) / 2 for a, b in zip(scores[:-1], scores[1:], strict=True)) / steps
    return np.array(scores), area
