# expect: best-mask-loss-iou: logits above 0
def best_mask_loss(logits: torch.Tensor, iou: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    y = target[:, None].to(logits.dtype)
    p = logits.sigmoid()
    dice = 1 - (2 * (p * y).sum((2, 3)) + 1) / (p.sum((2, 3)) + y.sum((2, 3)) + 1)
    both = (p * y).sum((2, 3))
    true = (both + 1e-6) / (p.sum((2, 3)) + y.sum((2, 3)) - both + 1e-6)
    return dice.amin(1).mean() + ((iou - true.to(iou.dtype)) ** 2).mean()
