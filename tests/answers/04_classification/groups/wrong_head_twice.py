# expect: groups-members: two groups
def parameter_groups(model: torch.nn.Module, lr: float, gamma: float) -> list[dict]:
    stages = list(model.children())
    groups = [{"params": [p for p in stages[-1].parameters() if p.requires_grad], "lr": lr}]
    for d, stage in enumerate(reversed(stages)):
        params = [p for p in stage.parameters() if p.requires_grad]
        if params:
            groups.append({"params": params, "lr": lr * gamma**d})
    return groups
