# expect: revise-order: go on behind the direct neighbours
def revise(topic, links, known):
    if topic in known:
        return []
    return [first for first, then in links if then == topic and first not in known] + [topic]
