from lifelines import KaplanMeierFitter


def kaplan_meier(time, event):
    time, event = np.asarray(time, float), np.asarray(event)
    if time.shape != event.shape:
        raise ValueError("as many events as times")
    if (time < 0).any():
        raise ValueError("no negative time")
    deaths = np.unique(time[event == 1])
    if deaths.size == 0:
        return np.array([]), np.array([])
    fitted = KaplanMeierFitter().fit(time, event)
    return deaths, fitted.survival_function_at_times(deaths).to_numpy()
