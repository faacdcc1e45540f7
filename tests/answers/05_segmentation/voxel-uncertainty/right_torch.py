def ensemble_entropy(members):
    p = torch.as_tensor(np.array(members)).mean(0)
    return torch.special.entr(p).sum(0) / np.log(len(p))
