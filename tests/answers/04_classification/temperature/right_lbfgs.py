def temperature_scale(splits):
    z, y = torch.tensor(splits["val"]["logits"], dtype=torch.float64), torch.tensor(splits["val"]["labels"])
    log_t = torch.zeros((), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([log_t], max_iter=200, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(z / log_t.exp(), y)
        loss.backward()
        return loss

    optimizer.step(closure)
    t = log_t.exp().item()
    return t, torch.softmax(torch.tensor(splits["test"]["logits"]) / t, dim=1).numpy()
