# expect: groups-members: parameters are missing
def parameter_groups(model: torch.nn.Module, lr: float, gamma: float) -> list[dict]:
    groups = []
    for d, stage in enumerate(reversed(list(model.children()))):
        params = [p for name, p in stage.named_parameters() if p.requires_grad and name.endswith("weight")]
        if params:
            groups.append({"params": params, "lr": lr * gamma**d})
    return groups
