def best_mask_loss(logits, iou, target):
    flat, wanted = logits.flatten(2), target.flatten(1).unsqueeze(1).expand(-1, logits.shape[1], -1)
    y, p = wanted.to(logits.dtype), 1 / (1 + torch.exp(-flat.clamp(-60, 60)))
    dice = 1 - (2 * torch.einsum("nmk,nmk->nm", p, y) + 1) / (p.sum(-1) + y.sum(-1) + 1)
    said = flat.detach() > 0
    both, either = (said & wanted).sum(-1).to(iou.dtype), (said | wanted).sum(-1).to(iou.dtype)
    true = (both + (either == 0)) / (either + (either == 0))
    best = dice.detach().argmin(1)
    return dice[torch.arange(len(dice)), best].mean() + torch.nn.functional.mse_loss(iou, true)
