def exam_one():
    odds = 0.02 / 0.98 * (0.95 / 0.20) * (0.90 / 0.05)
    angle = np.deg2rad(3.0)
    moved = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ [80.0, 0.0] - [80.0, 0.0]
    return {
        "1": float(np.interp(200, [0, 255], [-1350, 150])),
        "2": int(np.zeros((32, 1, 3, 3)).size + np.zeros((64, 32, 1, 1)).size),
        "3": odds / (1 + odds),
        "4": 1 / (0.5 * (24 / 24 + 30 / 24)),
        "5": float(np.hypot(*moved)),
        "6": float(np.prod(np.full(20, 0.95))),
    }
