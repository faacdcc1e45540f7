def parameter_groups(model: torch.nn.Module, lr: float, gamma: float) -> list[dict]:
    stages = list(model.children())
    groups = [
        {"params": [p for p in stage.parameters() if p.requires_grad], "lr": lr * gamma ** (len(stages) - 1 - k)} for k, stage in enumerate(stages)
    ]
    return [group for group in groups if group["params"]]
