# expect: groups-rates: gamma is a power
def parameter_groups(model: torch.nn.Module, lr: float, gamma: float) -> list[dict]:
    *below, head = model.children()
    groups = [{"params": [p for p in stage.parameters() if p.requires_grad], "lr": lr * gamma} for stage in below]
    groups.append({"params": [p for p in head.parameters() if p.requires_grad], "lr": lr})
    return [group for group in groups if group["params"]]
