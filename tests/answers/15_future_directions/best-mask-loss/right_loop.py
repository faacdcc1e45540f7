def best_mask_loss(logits: torch.Tensor, iou: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    best, grade = [], []
    for three, guess, wanted in zip(logits, iou, target):
        losses = []
        for mask, u in zip(three, guess):
            p, y, hard = torch.sigmoid(mask), wanted.to(mask.dtype), mask.detach() > 0
            losses.append(1 - (2 * (p * y).sum() + 1) / (p.sum() + y.sum() + 1))
            union = int((hard | wanted).sum())
            true = int((hard & wanted).sum()) / union if union else 1.0
            grade.append((u - true) ** 2)
        best.append(torch.stack(losses).min())
    return torch.stack(best).mean() + torch.stack(grade).mean()
