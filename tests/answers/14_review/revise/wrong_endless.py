# expect: revise-circle: instead of running for ever
def revise(topic, links, known):
    order = []

    def visit(one):
        if one in known or one in order:
            return
        for first, then in links:
            if then == one:
                visit(first)
        order.append(one)

    visit(topic)
    return order
