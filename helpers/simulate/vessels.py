"""Branching tubes inside an organ: a tree grown to random end points, and its drawing into a voxel grid; the organ itself is elsewhere."""

import numpy as np


def grow(root: np.ndarray, ends: np.ndarray, leaf_radius: float = 0.6) -> np.ndarray:
    """A vessel tree from `root` to every end point.

    Each end point, nearest to the root first, joins the tree where the path stays short. Radii follow Murray's law (Proc Natl
    Acad Sci USA 12:207, 1926): the cube of a parent's radius is the sum of its children's cubes.

    Args:
        root: (3,) mm.
        ends: (N, 3) mm.

    Returns:
        (N, 7): start, end (mm) and radius (mm) of every segment.
    """
    ends = ends[np.argsort(((ends - root) ** 2).sum(axis=1))]
    nodes = np.vstack([root, ends])
    reach = np.zeros(len(nodes))  # length of the path from the root
    parent = np.zeros(len(nodes), dtype=int)
    for i in range(1, len(nodes)):
        gap = np.sqrt(((nodes[:i] - nodes[i]) ** 2).sum(axis=1))
        parent[i] = int(np.argmin(gap + 0.35 * reach[:i]))
        reach[i] = reach[parent[i]] + gap[parent[i]]
    cubes = np.zeros(len(nodes))
    for i in range(len(nodes) - 1, 0, -1):
        cubes[i] += leaf_radius**3
        cubes[parent[i]] += cubes[i]
    return np.column_stack([nodes[parent[1:]], nodes[1:], np.cbrt(cubes[1:])])


def draw(segments: np.ndarray, axes: tuple[np.ndarray, ...], thin: float | None = None) -> np.ndarray:
    """Share of each voxel that tubes fill.

    Args:
        segments: (N, 7) start, end, radius in mm.
        axes: three increasing coordinate vectors in mm (one may have length 1).
        thin: width in mm over which an edge fades; None takes the finest voxel size.

    Returns:
        array of shape (len(x), len(y), len(z)), 0 to 1. Tubes thinner than a voxel are faint, not wide.
    """
    steps = [axis[1] - axis[0] if len(axis) > 1 else np.inf for axis in axes]
    width = float(min(steps)) if thin is None else thin
    result = np.zeros([len(axis) for axis in axes], dtype=np.float32)
    for segment in segments:
        start, end, radius = segment[:3], segment[3:6], segment[6]
        drawn = max(radius, 0.5 * width)
        margin = drawn + width
        box = []
        for axis, low, high in zip(axes, np.minimum(start, end) - margin, np.maximum(start, end) + margin, strict=True):
            box.append(slice(int(np.searchsorted(axis, low)), int(np.searchsorted(axis, high, side="right"))))
        if any(part.stop <= part.start for part in box):
            continue
        local = np.ix_(*[axis[part] for axis, part in zip(axes, box, strict=True)])
        along = end - start
        t = sum((local[i] - start[i]) * along[i] for i in range(3)) / max(float(along @ along), 1e-9)
        t = np.clip(t, 0, 1)
        distance = np.sqrt(sum((local[i] - start[i] - t * along[i]) ** 2 for i in range(3)))
        share = (radius / drawn) ** 2 * np.clip((drawn - distance) / width + 0.5, 0, 1)
        part = result[tuple(box)]
        np.maximum(part, share, out=part)
    return result
