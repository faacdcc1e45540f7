# expect: revise-order: stands twice
def revise(topic, links, known):
    if topic in known:
        return []
    plan = []
    for first, then in links:
        if then == topic:
            plan += revise(first, links, known)
    return plan + [topic]
