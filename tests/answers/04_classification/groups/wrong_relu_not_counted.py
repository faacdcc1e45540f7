# expect: groups-rates: ReLU is a stage too
def parameter_groups(model: torch.nn.Module, lr: float, gamma: float) -> list[dict]:
    stages = [stage for stage in reversed(list(model.children())) if list(stage.parameters())]
    groups = [{"params": [p for p in stage.parameters() if p.requires_grad], "lr": lr * gamma**d} for d, stage in enumerate(stages)]
    return [group for group in groups if group["params"]]
