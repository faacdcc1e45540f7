# expect: groups-members: frozen stage in the middle
def parameter_groups(model: torch.nn.Module, lr: float, gamma: float) -> list[dict]:
    stages = [s for s in reversed(list(model.children())) if not list(s.parameters()) or any(p.requires_grad for p in s.parameters())]
    groups = [{"params": [p for p in stage.parameters() if p.requires_grad], "lr": lr * gamma**d} for d, stage in enumerate(stages)]
    return [group for group in groups if group["params"]]
