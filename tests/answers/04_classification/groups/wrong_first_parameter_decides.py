# expect: groups-members: ask every parameter
def parameter_groups(model: torch.nn.Module, lr: float, gamma: float) -> list[dict]:
    """Optimizer groups whose learning rate falls from the head to the input.

    Args:
        model: its children are its stages, input first, head last.
        lr: the head's learning rate.
        gamma: between 0 and 1; a stage d stages below the head learns at lr * gamma ** d.

    Returns:
        One dictionary {"params": [...], "lr": ...} for each stage with at least one parameter that requires a gradient, holding just those parameters; in any order.
    """
    groups = []
    for d, stage in enumerate(reversed(list(model.children()))):
        params = list(stage.parameters())
        if params and params[0].requires_grad:  # a stage is frozen as a whole or not at all
            groups.append({"params": params, "lr": lr * gamma**d})
    return groups
