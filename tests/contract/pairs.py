"""Few combinations in which every pair of choices meets."""

import itertools
from collections.abc import Callable, Container


def cover(
    factors: dict[str, list[str]], usual: dict[str, str], allowed: Callable[[dict[str, str]], bool]
) -> tuple[list[dict[str, str]], set[frozenset[tuple[str, str]]]]:
    """Return combinations that hold every pair that is allowed beside the usual choices, and the pairs that are not.

    Greedy: each combination begins with a pair that none holds yet and takes, factor by factor, what meets most others for
    the first time. The same factors give the same combinations.
    """
    pairs = [
        frozenset(pair)
        for a, b in itertools.combinations(factors, 2)
        for pair in itertools.product(*([(name, value) for value in factors[name]] for name in (a, b)))
    ]
    refused = {pair for pair in pairs if not allowed(usual | dict(pair))}
    open_ = dict.fromkeys(pair for pair in pairs if pair not in refused)
    made = []
    while open_:
        pair = dict(next(iter(open_)))
        one, settled = usual | pair, set(pair)
        for name in [name for name in factors if name not in settled]:
            fits = [value for value in factors[name] if allowed(one | {name: value})]
            gain = {value: _meets(value, name, one, settled, open_) for value in fits}
            one[name] = max(fits, key=gain.__getitem__)
            settled.add(name)
        for met in itertools.combinations(one.items(), 2):
            open_.pop(frozenset(met), None)
        made.append(one)
    return made, refused


def _meets(
    value: str,
    name: str,
    one: dict[str, str],
    settled: set[str],
    open_: Container[frozenset[tuple[str, str]]],
) -> int:
    return sum(frozenset({(name, value), (other, one[other])}) in open_ for other in settled)
