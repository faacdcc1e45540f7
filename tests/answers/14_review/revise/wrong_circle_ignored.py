# expect: revise-circle: no order is right
def revise(topic, links, known):
    order, met = [], set()

    def visit(one):
        if one in known or one in met:
            return
        met.add(one)
        for first, then in links:
            if then == one:
                visit(first)
        order.append(one)

    visit(topic)
    return order
