def parameter_groups(model: torch.nn.Module, lr: float, gamma: float) -> list[dict]:
    stages = [name for name, _ in model.named_children()]
    members = {name: [] for name in stages}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            members[name.split(".")[0]].append(parameter)
    depth = {name: len(stages) - 1 - stages.index(name) for name in stages}
    return [{"params": members[name], "lr": lr * gamma ** depth[name]} for name in stages if members[name]]
