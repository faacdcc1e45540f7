# expect: groups-members: are frozen
def parameter_groups(model: torch.nn.Module, lr: float, gamma: float) -> list[dict]:
    groups = []
    for d, stage in enumerate(reversed(list(model.children()))):
        params = list(stage.parameters())
        if params:
            groups.append({"params": params, "lr": lr * gamma**d})
    return groups
