# aims at: denial
# cell: rescale
# rest: right
# The cell itself never ends.
def rescale(image):
    return image


while True:
    pass
