class Patches:
    def __init__(self, size: int) -> None:
        self.size = size

    def cut(self, images: torch.Tensor) -> torch.Tensor:
        if images.shape[2] % self.size or images.shape[3] % self.size:
            raise ValueError("the patches don't fill the image")
        return torch.nn.functional.unfold(images, self.size, stride=self.size).transpose(1, 2)

    def paste(self, tokens: torch.Tensor, height: int, width: int) -> torch.Tensor:
        return torch.nn.functional.fold(tokens.transpose(1, 2), (height, width), self.size, stride=self.size)
