# expect: groups-members: 12 parameter tensors
def parameter_groups(model: torch.nn.Module, lr: float, gamma: float) -> list[dict]:
    groups = []
    for d, stage in enumerate(reversed(list(model.children()))):
        params = [p for p in stage.parameters() if p.requires_grad and (p.ndim > 1 or len(list(stage.children())) == 0)]
        if params:
            groups.append({"params": params, "lr": lr * gamma**d})
    return groups
