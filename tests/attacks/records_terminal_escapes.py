# aims at: records
# cell: middle
# Puts terminal escapes, halves of characters, NUL and marks of writing direction into everything that is recorded.
TEXT = "\x1b[2J\x1b]0;owned\x07\ud800\udfff\x00\x08\u202egrades\u2066\ufeff\r\n=cmd()\t"
print(TEXT)


def middle(values):
    raise ValueError(TEXT)


TEXT
