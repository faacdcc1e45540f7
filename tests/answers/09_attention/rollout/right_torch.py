def attention_rollout(attentions: np.ndarray) -> np.ndarray:
    a = torch.tensor(attentions).double().mean(1)
    a = torch.nn.functional.normalize(a + torch.eye(a.shape[-1]).double(), p=1, dim=-1)
    return torch.linalg.multi_dot([*a.flip(0), torch.eye(a.shape[-1]).double()]).numpy()
