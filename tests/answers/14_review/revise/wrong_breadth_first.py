# expect: revise-order: a topic comes before what it rests on
def revise(topic, links, known):
    order, open_ = [], [topic]
    while open_:
        one = open_.pop(0)
        if one in known or one in order:
            continue
        order.append(one)
        open_ += [first for first, then in links if then == one]
    return order[::-1]
