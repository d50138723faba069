"""A seed makes a run: what is asked, and when who is struck."""

from itertools import islice

from tests.chaos.load import Load, orders_of, villains_of
from tests.chaos.nemeses.processes import Kill, Pause
from tests.chaos.nemesis import furies
from tests.chaos.scenarios import SCENARIOS

LOAD = Load(leavers=0.2, cancellers=0.2, slow=0.2, villains={"[[crash@5]]": 2})


def test_a_seed_makes_the_same_orders_again() -> None:
    """Prompts, sampling and manners come from the seed and the client's name alone."""
    first = list(islice(orders_of(LOAD, 7, "client-1"), 50))

    assert first == list(islice(orders_of(LOAD, 7, "client-1"), 50))
    assert first != list(islice(orders_of(LOAD, 8, "client-1"), 50))
    assert villains_of(LOAD, 7) == villains_of(LOAD, 7)


def test_no_two_requests_are_alike() -> None:
    """Each request has a prompt of its own, so that no stream can stand in for another."""
    orders = [order for name in ("a", "b") for order in islice(orders_of(LOAD, 7, name), 50)]

    assert len({str(order.body) for order in orders}) == 100
    assert {order.manners for order in orders} == {"polite", "leaver", "canceller", "slow"}


def test_another_nemesis_leaves_the_schedules_of_the_first() -> None:
    """Each nemesis has a chance of its own."""
    kill, pause = Kill(kind="workers"), Pause(kind="workers")

    alone, in_company = furies([kill], 7), furies([kill, pause], 7)

    assert alone[0].chance.random() == in_company[0].chance.random()
    assert in_company[0].chance.random() != in_company[1].chance.random()


def test_every_scenario_says_what_it_is_about() -> None:
    """Names are those of the table, and each has a story."""
    assert all(name == scenario.name and scenario.story for name, scenario in SCENARIOS.items())
