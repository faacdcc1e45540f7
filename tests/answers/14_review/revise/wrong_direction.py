# expect: revise-order: follow the links back
def revise(topic, links, known):
    order = []

    def visit(one):
        if one in known or one in order:
            return
        order.append(one)
        for first, then in links:
            if first == one:
                visit(then)

    visit(1)
    return [one for one in order if one != topic] + [topic]
