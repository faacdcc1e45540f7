def linear_attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    fq, fk = torch.nn.ELU()(q) + 1, torch.nn.ELU()(k) + 1
    top = torch.einsum("bmd,bde->bme", fq, torch.einsum("bnd,bne->bde", fk, v))
    return top / torch.einsum("bmd,bd->bm", fq, fk.sum(1))[..., None]
