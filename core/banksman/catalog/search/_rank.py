"""Ordering what was found: eight kinds of evidence, and their products in pairs.

The weights are fitted on one half of public queries by maximum likelihood (see docs/search.md); the products let one
kind of evidence count only beside another, such as the fit of a system only where the action itself fits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

#: In the order of `Seen.signals`.
SIGNALS: Final = ("best", "whole", "cover", "company", "named", "length", "fit", "part_cover")


@dataclass(slots=True)
class Seen:
    """One action, and what the request says of it.

    Attributes:
        action: its number.
        system: its number, -1 for none.
        whole: the gain over all words of the request.
        parts: the gain over the words of each part.
        named: the share of the name that one part of the request says.
        length: the logarithm of the number of words in its name.
        fit: how well its system as a whole serves the request, from 0 to 1.
    """

    action: int
    system: int
    whole: float
    parts: list[float]
    named: float
    length: float
    fit: float


@dataclass(slots=True)
class Ranked:
    """An action with its score, and the evidence that gave it."""

    action: int
    score: float
    signals: tuple[float, ...]


def rank(seen: list[Seen], weights: list[float], most: float, most_of_parts: list[float]) -> list[Ranked]:
    """Score what was found.

    Args:
        seen: the candidates.
        weights: of the parts.
        most: the gain that an action with all words of the request would have.
        most_of_parts: the same for each part.
    """
    top = max((one.whole for one in seen), default=0.0) or 1.0
    tops = [max((one.parts[part] for one in seen), default=0.0) or 1.0 for part in range(len(weights))]
    shares = [[weight * gain / at for weight, gain, at in zip(weights, one.parts, tops, strict=True)] for one in seen]
    company = _company(seen, shares)
    ranked = []
    for one, share, others in zip(seen, shares, company, strict=True):
        covered = max(
            weight * gain / full for weight, gain, full in zip(weights, one.parts, most_of_parts, strict=True)
        )
        signals = (max(share), one.whole / top, one.whole / most, others, one.named, one.length, one.fit, covered)
        ranked.append(Ranked(one.action, _score(signals), signals))
    return ranked


def _company(seen: list[Seen], shares: list[list[float]]) -> list[float]:
    """How well the other parts of the request are served by the action's own system, from 0 to 1."""
    best: dict[int, list[float]] = {}
    for one, share in zip(seen, shares, strict=True):
        best[one.system] = list(map(max, best[one.system], share)) if one.system in best else share
    company = []
    for one, share in zip(seen, shares, strict=True):
        own = share.index(max(share))
        system = best[one.system]
        company.append(0.0 if one.system < 0 else (sum(system) - system[own]) / max(1, len(share) - 1))
    return company


def _score(signals: tuple[float, ...]) -> float:
    score = 0.0
    for place, signal in enumerate(signals):
        row = PAIRS[place]
        inner = ALONE[place]
        for other in range(place, len(signals)):
            inner += row[other] * signals[other]
        score += signal * inner
    return score


ALONE: Final[tuple[float, ...]] = (-2.35, 11.55, -4.60, 5.57, -1.07, -2.18, -0.83, -5.81)
PAIRS: Final[tuple[tuple[float, ...], ...]] = (
    (3.40, -0.68, -6.39, -4.35, 0.22, 0.68, 1.67, 10.63),
    (0.0, -4.18, -3.20, 4.22, -3.78, 1.53, -4.67, 1.83),
    (0.0, 0.0, 18.57, -13.21, 4.10, 2.52, 2.23, -1.44),
    (0.0, 0.0, 0.0, 1.66, -0.48, -2.44, 1.93, -0.09),
    (0.0, 0.0, 0.0, 0.0, 0.21, 2.92, 3.47, -3.33),
    (0.0, 0.0, 0.0, 0.0, 0.0, -0.23, -1.07, 0.06),
    (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.81, -0.03),
    (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -3.88),
)
