def place_methods():
    codes = dict(A="ags", B="als", C="pga", D="pls", E="pla", F="pls", G="pga", H="pga", I="ags", J="als", K="pgs", L="pla")
    words = {"a": "ante-hoc", "p": "post-hoc"}, {"l": "local", "g": "global"}, {"a": "agnostic", "s": "specific"}
    return {letter: tuple(word[c] for word, c in zip(words, code)) for letter, code in codes.items()}
