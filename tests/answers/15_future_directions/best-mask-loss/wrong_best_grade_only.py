# expect: best-mask-loss-iou: nothing tells the others
def best_mask_loss(logits: torch.Tensor, iou: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    y = target[:, None].to(logits.dtype)
    p = logits.sigmoid()
    dice = 1 - (2 * (p * y).sum((2, 3)) + 1) / (p.sum((2, 3)) + y.sum((2, 3)) + 1)
    with torch.no_grad():
        said, wanted = logits > 0, target[:, None].bool()
        union = (said | wanted).sum((2, 3))
        true = torch.where(union == 0, 1.0, (said & wanted).sum((2, 3)) / union.clamp(min=1))
    best = dice.argmin(1, keepdim=True)
    return dice.amin(1).mean() + ((iou - true.to(iou.dtype)) ** 2).gather(1, best).mean()
