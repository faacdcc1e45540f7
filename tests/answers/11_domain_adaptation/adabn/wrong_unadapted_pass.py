# expect: adabn-deep: behind the unadapted first one
def adapt_batch_norm(net: torch.nn.Module, images: torch.Tensor) -> torch.nn.Module:
    import copy

    if len(images) < 2 or not torch.isfinite(images).all():
        raise ValueError("bad images")
    made = copy.deepcopy(net).eval()
    seen, hooks = {}, []
    for layer in made.modules():
        if isinstance(layer, torch.nn.modules.batchnorm._BatchNorm):
            hooks.append(layer.register_forward_pre_hook(lambda layer, inputs: seen.update({layer: inputs[0]})))
    if not hooks:
        raise ValueError("no batch norm")
    with torch.no_grad():
        made(images)
    for layer, x in seen.items():
        axes = [0, *range(2, x.dim())]
        layer.running_mean.copy_(x.mean(axes))
        layer.running_var.copy_(x.var(axes))
    for hook in hooks:
        hook.remove()
    return made
