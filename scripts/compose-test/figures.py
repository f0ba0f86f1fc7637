"""What was measured, each figure beside its bound."""

_FIGURES = []


def figure(name, value, unit, bound):
    """Notes a figure, which has to be no more than its bound."""
    _FIGURES.append((name, value, unit, bound))
    print(f"  {name}: {value:.1f} {unit}", flush=True)


def table():
    """Prints all figures; gives the names of those beyond their bound."""
    width = max(len(name) for name, *_ in _FIGURES)
    print(f"{'figure'.ljust(width)}  {'measured':>12}  {'bound':>12}")
    beyond = []
    for name, value, unit, bound in _FIGURES:
        mark = "" if value <= bound else "  beyond its bound"
        if mark:
            beyond.append(name)
        print(f"{name.ljust(width)}  {f'{value:.1f} {unit}':>12}  {f'{bound:.1f} {unit}':>12}{mark}")
    return beyond
