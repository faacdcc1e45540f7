def intervene(logits, truth, which, train_logits, w, b):
    l, t, m, tr = torch.tensor(logits).double(), torch.tensor(truth).double(), torch.tensor(which).bool(), torch.tensor(train_logits).double()
    chosen = t[m]
    if not bool(((chosen == 0) | (chosen == 1)).all()):
        raise ValueError("0 or 1")
    low, high = torch.quantile(tr, torch.tensor([0.05, 0.95]).double(), dim=0)
    out = torch.where(m, torch.where(t == 1, high.expand_as(l), low.expand_as(l)), l)
    return out, torch.sigmoid(out @ torch.tensor(w).double() + b)
