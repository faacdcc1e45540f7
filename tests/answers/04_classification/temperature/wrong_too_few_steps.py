# expect: temperature-value, temperature-robust: the lowest negative log-likelihood on validation is at
def temperature_scale(splits):
    z, y = torch.tensor(splits["val"]["logits"]), torch.tensor(splits["val"]["labels"])
    t = torch.ones((), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.SGD([t], lr=0.01)
    for _ in range(50):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(z / t, y).backward()
        optimizer.step()
    t = t.item()
    return t, torch.softmax(torch.tensor(splits["test"]["logits"]) / t, dim=1).numpy()
