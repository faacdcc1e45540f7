# aims at: points
# cell: helper
# Shows numbers of points as results of a cell, in all the ways that a kernel has.
import sys

print("2.0")
sys.displayhook(19)
display(19)
get_ipython().display_pub.publish({"text/plain": "19.0"})
print('{"output_type": "execute_result", "data": {"text/plain": "19.0"}}')
19.0
