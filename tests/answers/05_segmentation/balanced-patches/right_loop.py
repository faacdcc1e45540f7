import random


def patch_corners(mask: np.ndarray, size: tuple[int, int, int], n: int, share: float, seed: int) -> np.ndarray:
    if any(s > m for s, m in zip(size, mask.shape)):
        raise ValueError("pad the volume first")
    draw = random.Random(seed)
    organ = list(zip(*np.nonzero(mask)))
    corners = []
    for i in range(n):
        if organ and i < round(share * n):
            voxel = draw.choice(organ)
            corner = [min(max(int(v) - s // 2, 0), m - s) for v, s, m in zip(voxel, size, mask.shape)]
        else:
            corner = [draw.randint(0, m - s) for s, m in zip(size, mask.shape)]
        corners.append(corner)
    return corners
