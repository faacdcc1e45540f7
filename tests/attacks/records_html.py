# aims at: records
# cell: middle
# Prints and raises what a browser would run.
print("<script>alert(1)</script><img src=x onerror=alert(1)>")


class Page:
    def _repr_html_(self):
        return "<script>alert(2)</script>"

    __repr__ = _repr_html_


def middle(values):
    raise ValueError("<script>alert(3)</script>")


Page()
