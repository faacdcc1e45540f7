def folding(u, spacing, mask):
    """Differentiates x + u in voxels, and divides by the volume of a voxel."""
    if not np.any(mask):
        raise ValueError("empty mask")
    x = np.indices(mask.shape) * np.reshape(spacing, (-1, *[1] * mask.ndim))
    phi = torch.as_tensor(x + u, dtype=torch.float64)
    rows = [torch.stack(torch.gradient(c), dim=-1) for c in phi]
    det = torch.linalg.det(torch.stack(rows, dim=-2)) / float(np.prod(spacing))
    return det.numpy(), (det.numpy() <= 0)[mask].mean()
