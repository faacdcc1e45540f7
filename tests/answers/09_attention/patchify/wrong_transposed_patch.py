# expect: patchify-order: inside a token the pixels run down
class Patches:

    def __init__(self, size: int) -> None:
        self.size = size

    def cut(self, images: torch.Tensor) -> torch.Tensor:
        b, c, h, w = images.shape
        p = self.size
        if h % p or w % p:
            raise ValueError(f"patches of {p} pixels don't fill an image of {h} x {w}: pad or resize it first")
        return images.reshape(b, c, h // p, p, w // p, p).permute(0, 2, 4, 1, 5, 3).reshape(b, (h // p) * (w // p), c * p * p)

    def paste(self, tokens: torch.Tensor, height: int, width: int) -> torch.Tensor:
        p = self.size
        rows, columns = height // p, width // p
        b, _, values = tokens.shape
        c = values // (p * p)
        return tokens.reshape(b, rows, columns, c, p, p).permute(0, 3, 1, 4, 2, 5).reshape(b, c, height, width)
