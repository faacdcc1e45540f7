def impression_perplexity(log_probs: np.ndarray, tokens: np.ndarray, first: np.ndarray) -> float:
    if tokens.ndim != 2 or log_probs.shape[:2] != tokens.shape or len(first) != len(tokens) or np.min(first) < 1:
        raise ValueError("shapes or first")
    target = torch.as_tensor(tokens[:, 1:]).long().clone()
    early = torch.arange(1, tokens.shape[1])[None] < torch.as_tensor(first)[:, None]
    target[early | (target == 0)] = -100
    if (target == -100).all():
        raise ValueError("no word")
    logits = torch.as_tensor(log_probs[:, :-1]).double().flatten(0, 1)
    return float(torch.nn.functional.nll_loss(logits, target.flatten(), ignore_index=-100).exp())
