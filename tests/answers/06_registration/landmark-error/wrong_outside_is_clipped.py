# expect: landmark-error-outside: raise ValueError
from scipy import ndimage


def landmark_errors(fixed_points: np.ndarray, moving_points: np.ndarray, u: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    if (fixed_points < 0).any() or (fixed_points > np.array(u.shape[1:]) - 1).any():
        fixed_points = np.clip(fixed_points, 0, np.array(u.shape[1:]) - 1)
    moved = np.stack([ndimage.map_coordinates(component, fixed_points.T, order=1) for component in u], axis=1)
    return np.linalg.norm((fixed_points - moving_points) * np.asarray(spacing) + moved, axis=1)
