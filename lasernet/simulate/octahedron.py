"""Growing envelopes on a window of cells: decentered octahedra, Gandin & Rappaz, Acta Mater. 45 (1997) 2187.

Lengths are in cells. See ``growth_window`` for what the functions work on.
"""

from __future__ import annotations

import numpy as np

from lasernet.simulate.compiled import compiled
from lasernet.simulate.growth_window import (
    AROUND,
    COLD,
    GROWING,
    HOT,
    NO_BID,
    OUTSIDE,
    SOLID,
    Cells,
    Envelopes,
    Floats,
    Kinetics,
    Progress,
    Sites,
    Temperatures,
    Window,
)

LONGEST_EDGE = np.sqrt(3.0)  # of a new octahedron, either side of the point that was captured


@compiled
def grow(
    window: Window,
    envelopes: Envelopes,
    kinetics: Kinetics,
    sites: Sites,
    rotations: Floats,
    first: Temperatures,
    last: Temperatures,
    duration: float,
    progress: Progress,
) -> Progress:
    """Melt, nucleate and grow for a time in which the temperature goes linearly from the first to the last.

    Nothing depends on the order of the envelopes: of all that reach a cell the one that reaches farthest beyond it
    takes it, and of equal ones that in the cell of the lowest number.

    Args:
        rotations: (M, 3, 3) crystal to sample, by grain, with room for a grain on each site.
        first, last: K, on the cells of the window.
        duration: s.
        progress: as the last call returned it.
    """
    count, grains, steps, courant = progress
    crossing = _crossing(window, first, last, kinetics.liquidus)
    taken = np.empty(len(window.state), dtype=np.int64)
    passed = 0.0
    while True:
        part = passed / duration
        count = _change_phase(window, envelopes, count, crossing, first, last, part, kinetics.liquidus)
        count, grains = _nucleate(window, envelopes, count, grains, sites, first, last, part, kinetics.liquidus)
        count, fastest = _set_speeds(window, envelopes, count, kinetics, first, last, part)
        left = duration - passed
        if left <= 0.0:
            return Progress(count, grains, steps, courant)
        allowed = kinetics.longest
        if fastest > 0.0:
            allowed = min(allowed, kinetics.courant * kinetics.spacing / fastest)
        pieces = np.ceil(left / allowed)
        step = left / pieces
        for one in range(count):
            envelopes.size[one] += envelopes.speed[one] * step / kinetics.spacing
        count = _capture(window, envelopes, count, rotations, taken)
        passed = duration if pieces <= 1.0 else passed + step
        steps += 1
        courant = max(courant, fastest * step / kinetics.spacing)


@compiled
def _between(first: Temperatures, last: Temperatures, cell: int, part: float) -> float:
    return float(first[cell]) + part * (float(last[cell]) - float(first[cell]))


@compiled
def _crossing(window: Window, first: Temperatures, last: Temperatures, liquidus: float) -> Cells:
    """The cells that may melt, or fall below liquidus: no others change by temperature alone."""
    found = np.empty(len(window.state), dtype=np.int64)
    count = 0
    for cell in range(len(window.state)):
        state = window.state[cell]
        if state == OUTSIDE:
            continue
        if (min(first[cell], last[cell]) < liquidus) if state == HOT else (max(first[cell], last[cell]) >= liquidus):
            found[count] = cell
            count += 1
    return found[:count]


@compiled
def _change_phase(
    window: Window,
    envelopes: Envelopes,
    count: int,
    crossing: Cells,
    first: Temperatures,
    last: Temperatures,
    part: float,
    liquidus: float,
) -> int:
    """Melt what is above liquidus; what has fallen below it freezes onto the solid that did not melt beside it.

    A cell beside such solid becomes solid at once and its envelope starts from zero, as in ExaCA (Rolchigo et al.,
    Comput. Mater. Sci. 214 (2022) 111692): there the solid touches the liquidus isotherm when the melt pool is
    largest. All other molten cells wait for an envelope that captures them.
    """
    for cell in crossing:
        if window.state[cell] != HOT and _between(first, last, cell, part) >= liquidus:
            window.grain[cell] = -abs(window.grain[cell])
            window.state[cell] = HOT
    for cell in crossing:
        if window.state[cell] == HOT and _between(first, last, cell, part) < liquidus:
            grain = _solid_beside(window, cell)
            if grain > 0:
                count = _start(window, envelopes, count, cell, grain)
            else:
                window.state[cell] = COLD
    return count


@compiled
def _solid_beside(window: Window, cell: int) -> int:
    """The grain of which resting solid goes on into a cell, 0 without any.

    The grain that the cell was before if there is some of it, so that grain boundaries go on where they were; else
    that with the most neighbors, weighted by their inverse square distance, and of equals the first.
    """
    grains, weights = np.zeros(26, dtype=np.int32), np.zeros(26)
    for n in range(26):
        near = cell + window.around[n]
        if window.state[near] != SOLID:
            continue
        if window.grain[near] == -window.grain[cell]:
            return int(-window.grain[cell])
        weight = 1.0 / (abs(AROUND[n, 0]) + abs(AROUND[n, 1]) + abs(AROUND[n, 2]))
        for other in range(26):
            if grains[other] == 0 or grains[other] == window.grain[near]:
                grains[other] = window.grain[near]
                weights[other] += weight
                break
    best = 0
    for other in range(1, 26):
        ahead = weights[other] - weights[best]
        if ahead > 1e-9 or (ahead > -1e-9 and 0 < grains[other] < grains[best]):
            best = other
    return int(grains[best])


@compiled
def _start(window: Window, envelopes: Envelopes, count: int, cell: int, grain: int) -> int:
    """Make a cell solid, with an envelope of no size at its center."""
    window.grain[cell] = grain
    window.state[cell] = GROWING
    envelopes.cell[count] = cell
    for axis in range(3):
        envelopes.center[count, axis] = 0.0
    envelopes.size[count] = 0.0
    return count + 1


@compiled
def _nucleate(
    window: Window,
    envelopes: Envelopes,
    count: int,
    grains: int,
    sites: Sites,
    first: Temperatures,
    last: Temperatures,
    part: float,
    liquidus: float,
) -> tuple[int, int]:
    """Start a new grain on each site that is molten and colder than the site bears."""
    for number in range(len(sites.cell)):
        cell = sites.cell[number]
        if window.state[cell] != COLD:
            continue
        if liquidus - _between(first, last, cell, part) >= sites.undercooling[number]:
            grains += 1
            count = _start(window, envelopes, count, cell, grains)
    return count, grains


@compiled
def _set_speeds(
    window: Window,
    envelopes: Envelopes,
    count: int,
    kinetics: Kinetics,
    first: Temperatures,
    last: Temperatures,
    part: float,
) -> tuple[int, float]:
    """Drop envelopes that have melted or have no liquid beside them; the speeds of the others, and the largest.

    An envelope grows while it has liquid below liquidus beside it, at the temperature halfway between its cell and
    the coldest of that: there its corners are on average. At the temperature of its cell alone, the usual choice, a
    front in a gradient G needs too little undercooling by about G / 2 per spacing.
    """
    kept = 0
    fastest = 0.0
    for one in range(count):
        cell = envelopes.cell[one]
        if window.state[cell] != GROWING:
            continue
        liquid = False
        cold = 0
        coldest = kinetics.liquidus
        for n in range(26):
            near = cell + window.around[n]
            state = window.state[near]
            liquid |= state in (HOT, COLD)
            if state == COLD:
                cold |= 1 << n
                coldest = min(coldest, _between(first, last, near, part))
        if not liquid:
            window.state[cell] = SOLID
            continue
        own = min(_between(first, last, cell, part), kinetics.liquidus)
        envelopes.cell[kept] = cell
        for axis in range(3):
            envelopes.center[kept, axis] = envelopes.center[one, axis]
        envelopes.size[kept] = envelopes.size[one]
        envelopes.cold[kept] = cold
        envelopes.speed[kept] = _speed(kinetics, kinetics.liquidus - (own + coldest) / 2) if cold else 0.0
        fastest = max(fastest, envelopes.speed[kept])
        kept += 1
    return kept, fastest


@compiled
def _speed(kinetics: Kinetics, undercooling: float) -> float:
    place = max(undercooling, 0.0) / kinetics.resolution
    low = min(int(place), len(kinetics.table) - 2)
    above = min(place - low, 1.0)
    return float(kinetics.table[low] + above * (kinetics.table[low + 1] - kinetics.table[low]))


@compiled
def _capture(window: Window, envelopes: Envelopes, count: int, rotations: Floats, taken: Cells) -> int:
    """Give each cell below liquidus that envelopes have reached to the one that reaches farthest beyond it."""
    found = 0
    for one in range(count):
        cell = envelopes.cell[one]
        rotation = rotations[window.grain[cell]]
        center = envelopes.center[one]
        for n in range(26):
            if not envelopes.cold[one] >> n & 1:
                continue
            x, y, z = AROUND[n, 0] - center[0], AROUND[n, 1] - center[1], AROUND[n, 2] - center[2]
            excess = envelopes.size[one]
            for axis in range(3):
                excess -= abs(rotation[0, axis] * x + rotation[1, axis] * y + rotation[2, axis] * z)
            near = cell + window.around[n]
            if excess < 0.0 or excess < window.bid[near]:
                continue
            if window.bid[near] == NO_BID:
                taken[found] = near
                found += 1
            elif excess == window.bid[near] and cell > envelopes.cell[window.bidder[near]]:
                continue
            window.bid[near], window.bidder[near], window.route[near] = excess, one, n
    for number in range(found):
        near = taken[number]
        parent = window.bidder[near]
        grain = window.grain[envelopes.cell[parent]]
        _inherit(envelopes, parent, AROUND[window.route[near]], rotations[grain], count)
        envelopes.cell[count] = near
        window.grain[near] = grain
        window.state[near] = GROWING
        window.bid[near] = NO_BID
        count += 1
    return count


@compiled
def _inherit(envelopes: Envelopes, parent: int, way: Cells, rotation: Floats, child: int) -> None:
    """The envelope of a captured cell: Gandin & Rappaz (1997), section 2.3.

    It keeps the corner of the parent's that is nearest to the captured point projected onto the face that took it.
    Its edges on that face end where the parent's do, but at most LONGEST_EDGE from the point, on either side.
    """
    size = envelopes.size[parent]
    place, sign = np.zeros(3), np.ones(3)
    total = 0.0
    for axis in range(3):
        for row in range(3):
            place[axis] += rotation[row, axis] * (way[row] - envelopes.center[parent, row])
        if place[axis] < 0.0:
            sign[axis] = -1.0
        total += abs(place[axis])
    corner = 0
    for axis in range(3):  # onto the face x + y + z = size
        place[axis] = sign[axis] * place[axis] + (size - total) / 3.0
        if place[axis] > place[corner]:
            corner = axis
    longest = 0.0
    for axis in range(3):
        if axis != corner:
            along = (place[axis] - place[corner] + size) / np.sqrt(2.0)
            rest = np.sqrt(2.0) * size - along
            longest = max(longest, min(along, LONGEST_EDGE) + min(rest, LONGEST_EDGE))
    envelopes.size[child] = longest / np.sqrt(2.0)
    shift = sign[corner] * (size - envelopes.size[child])
    for row in range(3):
        envelopes.center[child, row] = envelopes.center[parent, row] + shift * rotation[row, corner] - way[row]
