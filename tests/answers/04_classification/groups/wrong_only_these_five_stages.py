# expect: groups-rates: stages below the head the rate should be
def parameter_groups(model: torch.nn.Module, lr: float, gamma: float) -> list[dict]:
    below = {"head": 0, "block2": 1, "relu": 2, "block1": 3, "stem": 4}
    groups = []
    for name, stage in model.named_children():
        params = [p for p in stage.parameters() if p.requires_grad]
        if params:
            groups.append({"params": params, "lr": lr * gamma ** below.get(name, 0)})
    return groups
