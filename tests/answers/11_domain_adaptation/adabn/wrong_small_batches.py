# expect: adabn-statistics: averaged over batches of 8
def adapt_batch_norm(net: torch.nn.Module, images: torch.Tensor) -> torch.nn.Module:
    import copy

    made = copy.deepcopy(net).eval()
    norms = [layer for layer in made.modules() if isinstance(layer, torch.nn.modules.batchnorm._BatchNorm)]
    if not norms or len(images) < 2 or not torch.isfinite(images).all():
        raise ValueError("bad input")
    for layer in norms:
        layer.reset_running_stats()
        layer.momentum = None
        layer.train()
    with torch.no_grad():
        for part in images.split(8):
            made(part)
    return made.eval()
