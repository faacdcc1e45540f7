def next_word_distribution(logits: np.ndarray, temperature: float = 1.0, top_p: float = 1.0) -> np.ndarray:
    if temperature < 0 or not 0 < top_p <= 1:
        raise ValueError("temperature or top_p")
    if temperature == 0:
        return (np.arange(len(logits)) == np.argmax(logits)).astype(float)
    p = torch.softmax(torch.as_tensor(np.asarray(logits)).double() / temperature, -1).numpy()
    kept, total = np.zeros(len(p)), 0.0
    for word in sorted(range(len(p)), key=lambda i: -p[i]):
        if total >= top_p - 1e-12:
            break
        kept[word] = p[word]
        total += p[word]
    return kept / total
