# expect: place-methods-when: method A
def place_methods():
    return {letter: ("post-hoc", "local", "specific") for letter in "ABCDEFGHIJKL"}
