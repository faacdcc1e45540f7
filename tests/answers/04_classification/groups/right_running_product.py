def parameter_groups(model: torch.nn.Module, lr: float, gamma: float) -> list[dict]:
    groups, rate = [], lr
    for _, stage in list(model.named_children())[::-1]:
        trainable = list(filter(lambda p: p.requires_grad, stage.parameters()))
        if len(trainable) > 0:
            groups.insert(0, dict(params=trainable, lr=rate))
        rate = rate * gamma
    return groups
