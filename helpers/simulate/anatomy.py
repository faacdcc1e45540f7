"""The chest as formulas: which tissue lies at a point (mm); grids, HU values, vessels and nodules are in `chests.py`.

Coordinates are RAS: x to the patient's right, y forwards, z up; z = 0 is about the level of the diaphragm's domes.
"""

import numpy as np

Masks = dict[str, np.ndarray]


def person(rng: np.random.Generator) -> dict[str, float]:
    """One person's measures, mm where a length."""
    u = rng.uniform
    p = {
        "half_width": u(118, 140),  # inside of the rib cage
        "half_depth": u(82, 100),
        "apex": u(222, 245),
        "fat": u(6, 22),
        "muscle": u(12, 18),
        "heart": u(0.88, 1.12),
        "heart_turn": u(0.5, 0.8),
        "right_dome": u(24, 44),
        "left_dome": u(8, 28),
        "rib_gap": u(23, 26),
        "rib_phase": u(0, 1),
        "rib_slope": u(0.62, 0.85),
        "breast": float(rng.random() < 0.5) * u(0.8, 1.2),
        "gas": u(0.7, 1.3),
    }
    for i in range(6):  # slow waves that bend everything a little, so that no two people are alike
        p[f"wave{i}"], p[f"phase{i}"] = u(0.012, 0.028), u(0, 2 * np.pi)
    return p


def _ellipsoid(x: np.ndarray, y: np.ndarray, z: np.ndarray, centre: tuple, radii: tuple) -> np.ndarray:
    """Squared normalised radius: below 1 inside."""
    return ((x - centre[0]) / radii[0]) ** 2 + ((y - centre[1]) / radii[1]) ** 2 + ((z - centre[2]) / radii[2]) ** 2


def _tubes(grid: tuple, bent: tuple, segments: tuple) -> np.ndarray:
    """Inside of any of the round tubes (start, end, radius), mm.

    Args:
        grid: the coordinates as given; where they are open axes (np.ix_) only a box around each tube is looked at.
        bent: the coordinates to use.
    """
    result = np.zeros(np.broadcast_shapes(*[b.shape for b in bent]), dtype=bool)
    is_open = all(g.ndim == 3 and g.size == g.shape[i] for i, g in enumerate(grid))
    for start, end, radius in segments:
        box = ...
        if is_open:
            reach = radius + 12  # bending moves a point by less than 12 mm
            ends = [(min(s, e) - reach, max(s, e) + reach) for s, e in zip(start, end, strict=True)]
            box = tuple(slice(*np.searchsorted(g.ravel(), pair)) for g, pair in zip(grid, ends, strict=True))
        along = [float(e - s) for s, e in zip(start, end, strict=True)]
        gap = [b[box] - s for b, s in zip(bent, start, strict=True)]
        t = np.clip((gap[0] * along[0] + gap[1] * along[1] + gap[2] * along[2]) / sum(a * a for a in along), 0, 1)
        result[box] |= sum((g - t * a) ** 2 for g, a in zip(gap, along, strict=True)) < radius**2
    return result


def tissues(x: np.ndarray, y: np.ndarray, z: np.ndarray, p: dict[str, float]) -> Masks:
    """Masks of tissues at points in mm (broadcastable arrays)."""
    grid = (x, y, z)
    x, y, z = bent = _bend(x, y, z, p)
    m: Masks = {}
    across = np.abs(x)

    # Rib cage: a rounded box in each axial plane that closes towards the apex. `depth` = mm outside its inner wall.
    taper = np.sqrt(np.clip(1 - (np.clip(z - 70, 0, None) / (p["apex"] - 70)) ** 2.2, 1e-4, 1)) * (1 - 0.0008 * np.clip(30 - z, 0, None))
    wide, deep = p["half_width"] * taper, p["half_depth"] * (0.25 + 0.75 * taper)
    middle = -6 + 10 * (1 - taper)
    ring = ((across / wide) ** 2.3 + (np.abs(y - middle) / deep) ** 2.3) ** (1 / 2.3)
    reach = np.hypot(across, y - middle)
    depth = (ring - 1) * reach / np.maximum(ring, 0.1)

    # Skin: cage plus muscle and fat, shoulders, neck, breasts.
    cover = p["muscle"] + 12 + p["fat"]
    top = np.clip((z - 175) / 60, 0, 1)
    outer_wide, outer_deep = p["half_width"] + cover + 18 * top, p["half_depth"] + cover - 18 * top
    skin = ((across / outer_wide) ** 2.4 + (np.abs(y + 6) / outer_deep) ** 2.4) ** (1 / 2.4)
    trunk = (skin < 1) & (z < 262 - 0.42 * np.clip(across - 45, 0, None))
    shoulder = _ellipsoid(across, y, z, (148, -14, 188), (56, 62, 80)) < 1
    neck = (across / 62) ** 2 + ((y + 12) / 62) ** 2 < 1
    breast = (_ellipsoid(across, y, z, (76, outer_deep - 26, 62), (64, 42, 64)) < p["breast"]) if p["breast"] else np.zeros_like(trunk)
    m["body"] = trunk | shoulder | (neck & (z > 200)) | breast
    inner = ((across / (outer_wide - p["fat"])) ** 2.4 + (np.abs(y + 6) / (outer_deep - p["fat"])) ** 2.4) ** (1 / 2.4)
    core = _ellipsoid(across, y, z, (148, -14, 188), (56 - p["fat"], 62 - p["fat"], 80 - p["fat"])) < 1
    m["fat"] = m["body"] & ~((inner < 1) & trunk) & ~core & ~(neck & (z > 200))

    # Mediastinum, heart, great vessels.
    k = p["heart"]
    axis = np.array([-np.cos(p["heart_turn"]), 0.55, -np.sin(p["heart_turn"])])  # from the base to the apex: left, forwards, down
    axis = axis / np.sqrt(axis @ axis)
    hx, hy, hz = x + 20, y - 16, z - 52
    long = (hx * axis[0] + hy * axis[1] + hz * axis[2]) / (64 * k)
    short = (hx**2 + hy**2 + hz**2 - (64 * k * long) ** 2) / (45 * k * (1 - 0.18 * long)) ** 2
    m["heart"] = long**2 + short < 1
    m["heart"] |= _ellipsoid(x, y, z, (17, 6, 54), (29 * k, 36 * k, 40 * k)) < 1  # right atrium
    m["great_vessels"] = _tubes(
        grid,
        bent,
        (
            ((6, 14, 80), (6, 8, 178), 15),  # aorta
            ((6, 8, 178), (-26, -36, 182), 13),
            ((-26, -36, 182), (-22, -44, -80), 12),
            ((-18, 28, 95), (-26, 0, 140), 14),  # pulmonary arteries
            ((-26, 0, 140), (-50, -22, 138), 10),
            ((-50, -22, 138), (-56, -28, 104), 8),
            ((-22, 4, 128), (46, -14, 124), 10),
            ((46, -14, 124), (56, -20, 96), 8),
            ((28, 6, 80), (26, 6, 205), 9),  # superior vena cava
        ),
    )
    waist = 15 + 16 * np.clip(-(y + 10) / 50, 0, 1) + 14 * np.clip((z - 165) / 60, 0, 1) + 10 * np.clip((60 - z) / 60, 0, 1)
    mediastinum = across < waist
    bronchi = (((0, -22, 152), (44, -30, 118), 6), ((0, -22, 152), (-52, -30, 122), 6))
    m["airway"] = _tubes(grid, bent, (((0, -22, 150), (0, -4, 300), 8.5), *bronchi))

    # Lungs above the domes of the diaphragm.
    dome = np.where(x > 0, np.float32(p["right_dome"]), np.float32(p["left_dome"]))
    r2 = ((across - 66) / 78) ** 2 + ((y - 4) / 92) ** 2
    floor = dome - 52 * r2**1.25 + 8 * np.clip(y / 90, -1, 1)
    lung = (ring < 1) & (z > floor) & (z < p["apex"]) & ~mediastinum & ~m["heart"] & ~m["great_vessels"] & ~m["airway"]

    # Spine: bodies with discs, canal, arch with processes.
    sy = y + p["half_depth"] * 0.70 + 14 * ((z - 110) / 130) ** 2 - 6
    step = np.mod(z / 25.0 + p["rib_phase"], 1.0)
    in_body = (x / 18) ** 2 + (sy / 15) ** 2
    m["disc"] = (in_body < 1) & (step > 0.80)
    m["vertebra"] = (in_body < 1) & ~m["disc"]
    m["cortex"] = m["vertebra"] & ((in_body > 0.72) | (step < 0.06) | (step > 0.74))
    canal = (x / 9) ** 2 + ((sy + 23) / 8) ** 2 < 1
    arch = ((x / 15) ** 2 + ((sy + 23) / 13) ** 2 < 1) & ~canal
    process = ((across < 3.5) & (sy < -33) & (sy > -58) & (step < 0.6)) | ((across < 36) & (np.abs(sy + 26) < 5) & (step < 0.38))
    m["arch"] = arch | (process & (across + np.abs(sy) > 0))
    m["canal"] = canal
    m["spine"] = m["vertebra"] | m["disc"] | m["arch"] | canal
    lung &= ~m["spine"] & (in_body > 1.35)

    # Ribs: bands on the cage that fall forwards; cartilage in front; sternum, collar bones, shoulder blades, humeral heads.
    fall = np.clip((y - middle) / deep, -1, 1)
    turn = np.mod((z + p["rib_slope"] * p["half_depth"] * (fall + 0.25 * fall**2)) / p["rib_gap"] + p["rib_phase"], 1.0)
    radial, height = (depth - 6) / 4.6, (turn - 0.5) * p["rib_gap"] / 6.2
    band = radial**2 + height**2
    rib = (band < 1) & (across > 10) & (z < p["apex"] + 8)
    m["cartilage"] = rib & (across < 62 - 0.1 * (z - 60)) & (y > 0)
    m["rib"] = rib & ~m["cartilage"]
    m["marrow"] = m["rib"] & (band < 0.42)
    front = deep + middle + 8
    m["sternum"] = (across < 17 + 8 * (z > 178)) & (np.abs(y - front) < 6.5) & (z > 62) & (z < 208)
    collar = [(16.0, p["half_depth"] * 0.52, 206.0), (85.0, p["half_depth"] * 0.42, 222.0), (158.0, -6.0, 226.0)]
    both = [[(sign * c[0], *c[1:]) for c in collar] for sign in (-1, 1)]
    clavicle = _tubes(grid, bent, tuple((c[i], c[i + 1], 6.5) for c in both for i in (0, 1)))
    blade = (np.abs(depth - 20 - 0.10 * np.clip(across - 90, 0, None)) < 2.6) & (y < -10)
    blade &= (across > 62 + 0.25 * (195 - z)) & (z > 92) & (z < 208)
    head = _ellipsoid(across, y, z, (170, -12, 196), (22, 23, 24))
    m["shoulder"] = (clavicle | (blade & (across < 150)) | (head < 1)) & m["body"]
    m["shoulder_marrow"] = head < 0.75
    m["ribs"] = (m["rib"] | m["cartilage"]) & m["body"]

    # Upper belly: liver on the right, stomach with its gas bubble on the left.
    belly = (ring < 1) & (z <= floor) & ~m["heart"] & ~m["spine"] & ~m["great_vessels"]
    m["liver"] = belly & (x > -35 + 0.3 * (z + 20)) & (z > -75)
    m["stomach_gas"] = belly & (_ellipsoid(x, y, z, (-62, 12, p["left_dome"] - 26), (30 * p["gas"], 28, 13 * p["gas"])) < 1)
    m["mediastinum"] = mediastinum & (ring < 1) & (z > floor)
    m["left_lung"], m["right_lung"] = lung & (x < 0), lung & (x > 0)
    m["lungs"] = lung
    return m


def _bend(x: np.ndarray, y: np.ndarray, z: np.ndarray, p: dict[str, float]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Slow sine waves of about 3 mm; the volume change stays under a fifth, so nothing folds."""
    w = [np.sin(p[f"wave{i}"] * v + p[f"phase{i}"]) for i, v in enumerate((y, z, x, z, x, y))]
    return x + 3 * w[0] + 3 * w[1], y + 2 * w[2] + 3 * w[3], z + 3 * w[4] + 3 * w[5]
