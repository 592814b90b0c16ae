# iked with iked: transport and tunnel, both families, started by traffic, by
# `up` from either side, and from both at once. Every scenario ends with pings
# that pass as ESP, exactly one SA per direction, and no clear packet: before the
# SA, while it is there, and after `down`.
import pytest

from scenario import SHAPES, Pair, at_once, settles


@pytest.mark.parametrize("mode,family", SHAPES)
def test_started_by_traffic(lab_scenario, mode, family):
    pair = Pair(lab_scenario, mode, family)
    pair.configure(other_start="traffic")
    pair.one.start()
    pair.nothing_passes_yet()
    pair.two.start()
    pair.reaches()
    pair.is_encrypted()
    pair.goes_down(pair.one)


@pytest.mark.parametrize("mode,family", SHAPES)
@pytest.mark.parametrize("side", ["a", "b"])
def test_up_from(lab_scenario, side, mode, family):
    pair = Pair(lab_scenario, mode, family)
    pair.configure(other_start="traffic")
    pair.one.start()
    pair.two.start()
    starter = pair.one if side == "a" else pair.two
    starter.up()
    pair.is_encrypted()
    # The other side takes it down: both directions of the delete are seen.
    pair.goes_down(pair.two if side == "a" else pair.one)


# strongSwan keeps both pairs of SAs here, for ever; iked has to settle on one.
@pytest.mark.iked_only
@pytest.mark.parametrize("mode,family", SHAPES[:2])
def test_up_from_both_at_once(lab_scenario, mode, family):
    pair = Pair(lab_scenario, mode, family)
    pair.configure(other_start="traffic")
    pair.one.start()
    pair.two.start()
    at_once(lambda: pair.one.up(check=False), lambda: pair.two.up(check=False))
    pair.reaches()
    settles(pair)
    pair.is_encrypted()
    pair.goes_down(pair.one)


@pytest.mark.iked_only
def test_traffic_from_both_at_once(lab_scenario):
    pair = Pair(lab_scenario, "transport", 4)
    pair.configure(other_start="traffic")
    pair.one.start()
    pair.two.start()
    at_once(lambda: pair.a.reaches(pair.b.v4), lambda: pair.b.reaches(pair.a.v4))
    settles(pair)
    pair.is_encrypted()
