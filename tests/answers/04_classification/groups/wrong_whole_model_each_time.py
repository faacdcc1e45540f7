# expect: groups-members, groups-rates: two groups
def parameter_groups(model: torch.nn.Module, lr: float, gamma: float) -> list[dict]:
    groups = []
    for d, stage in enumerate(reversed(list(model.children()))):
        params = [p for p in model.parameters() if p.requires_grad]
        if params:
            groups.append({"params": params, "lr": lr * gamma**d})
    return groups
