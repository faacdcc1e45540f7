# expect: adabn-statistics: remembers no mean or variance
def adapt_batch_norm(net: torch.nn.Module, images: torch.Tensor) -> torch.nn.Module:
    import copy

    made = copy.deepcopy(net).eval()
    norms = [layer for layer in made.modules() if isinstance(layer, torch.nn.modules.batchnorm._BatchNorm)]
    if not norms or len(images) < 2 or not torch.isfinite(images).all():
        raise ValueError("bad input")
    for layer in norms:
        layer.track_running_stats, layer.running_mean, layer.running_var = False, None, None
    return made
