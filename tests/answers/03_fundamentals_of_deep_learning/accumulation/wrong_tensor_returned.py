# expect: accumulation-ragged: return a Python float
def accumulated_step(model: torch.nn.Module, optimizer: torch.optim.Optimizer, x: torch.Tensor, y: torch.Tensor, piece: int) -> float:
    optimizer.zero_grad()
    total = 0.0
    for part, target in zip(x.split(piece), y.split(piece), strict=True):
        loss = torch.nn.functional.mse_loss(model(part), target) * len(part) / len(x)
        loss.backward()
        total += loss.detach()
    optimizer.step()
    return total
