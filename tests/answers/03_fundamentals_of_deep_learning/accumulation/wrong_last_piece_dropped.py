# expect: accumulation-ragged: the last piece has 2 cases
def accumulated_step(model: torch.nn.Module, optimizer: torch.optim.Optimizer, x: torch.Tensor, y: torch.Tensor, piece: int) -> float:
    optimizer.zero_grad()
    total = 0.0
    for part, target in list(zip(x.split(piece), y.split(piece), strict=True))[: max(len(x) // piece, 1)]:
        loss = torch.nn.functional.mse_loss(model(part), target) * len(part) / len(x)
        loss.backward()
        total += loss.item()
    optimizer.step()
    return total
