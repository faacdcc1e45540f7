# expect: adabn-rest: you returned the network that came in
def adapt_batch_norm(net: torch.nn.Module, images: torch.Tensor) -> torch.nn.Module:
    import copy

    made = net.eval()
    norms = [layer for layer in made.modules() if isinstance(layer, torch.nn.modules.batchnorm._BatchNorm)]
    if not norms:
        raise ValueError("no batch norm")
    if len(images) < 2 or not torch.isfinite(images).all():
        raise ValueError("bad images")
    for layer in norms:
        layer.reset_running_stats()
        layer.momentum = None
        layer.train()
    with torch.no_grad():
        made(images)
    return made.eval()
