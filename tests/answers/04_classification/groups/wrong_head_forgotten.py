# expect: groups-rates, groups-members: some stages have no rate
def parameter_groups(model: torch.nn.Module, lr: float, gamma: float) -> list[dict]:
    groups = []
    for d, stage in enumerate(reversed(list(model.children())[:-1]), start=1):
        params = [p for p in stage.parameters() if p.requires_grad]
        if params:
            groups.append({"params": params, "lr": lr * gamma**d})
    return groups
