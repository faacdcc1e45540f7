# expect: read-table-compared: average precision depends on prevalence
def read_table():
    return {
        "A": "shown",
        "B": "not shown",
        "C": "shown",
        "D": "shown",
        "E": "shown",
        "F": "not shown",
        "G": "not shown",
        "H": "not shown",
        "I": "can't be compared",
        "J": "can't be compared",
    }
