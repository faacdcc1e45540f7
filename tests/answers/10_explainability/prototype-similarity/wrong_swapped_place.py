# expect: prototype-similarity-place: row and column are swapped
def prototype_similarity(z: torch.Tensor, p: torch.Tensor, eps: float = 1e-4) -> tuple[torch.Tensor, torch.Tensor]:
    """Similarity of images to prototypes, and where (Chen et al., ProtoPNet, NeurIPS 2019).

    Args:
        z: (B, D, H, W) features.
        p: (P, D) prototypes.
        eps: keeps the logarithm finite where the distance is 0.

    Returns:
        similarity (B, P): the largest log((d^2 + 1) / (d^2 + eps)) over the places of an image.
        place (B, P, 2): row and column of that place, whole numbers; any of them if several tie.

    Raises:
        ValueError: prototypes and features differ in D.
    """
    if z.shape[1] != p.shape[1]:
        raise ValueError(f"the features have {z.shape[1]} channels, the prototypes {p.shape[1]}")
    d2 = ((z[:, None] - p[None, :, :, None, None]) ** 2).sum(dim=2)
    similarity, index = torch.log((d2 + 1) / (d2 + eps)).flatten(2).max(dim=2)
    return similarity, torch.stack([index % z.shape[3], index // z.shape[3]], dim=2)
