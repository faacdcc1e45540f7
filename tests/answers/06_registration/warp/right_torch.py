def inverse_warp(moving, u, spacing, order=1):
    if tuple(u.shape) != (moving.ndim, *moving.shape):
        raise ValueError("shape")
    if order == 0:
        index = []
        for i, grid in enumerate(np.indices(moving.shape)):
            index.append(np.clip(np.rint(grid + u[i] / spacing[i]), 0, moving.shape[i] - 1).astype(int))
        return moving[tuple(index)]
    where = [torch.as_tensor(g + u[i] / spacing[i]) for i, g in enumerate(np.indices(moving.shape))]
    scaled = [2 * w / max(n - 1, 1) - 1 for w, n in zip(where, moving.shape)]
    grid = torch.stack(scaled[::-1], dim=-1)[None].float()
    out = torch.nn.functional.grid_sample(torch.as_tensor(moving.astype(np.float32))[None, None], grid, mode="bilinear", padding_mode="border", align_corners=True)
    return out[0, 0].numpy()
