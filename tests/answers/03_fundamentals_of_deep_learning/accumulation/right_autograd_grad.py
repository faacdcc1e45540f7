def accumulated_step(model: torch.nn.Module, optimizer: torch.optim.Optimizer, x: torch.Tensor, y: torch.Tensor, piece: int) -> float:
    parameters = list(model.parameters())
    totals, loss = [torch.zeros_like(p) for p in parameters], 0.0
    for a, b in zip(torch.split(x, piece), torch.split(y, piece)):
        share = (model(a) - b).square().mean() * (a.shape[0] / x.shape[0])
        for total, g in zip(totals, torch.autograd.grad(share, parameters)):
            total += g
        loss += float(share)
    for p, total in zip(parameters, totals):
        p.grad = total
    optimizer.step()
    return loss
