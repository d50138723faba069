from worker.fitness import REST_MS, WINDOW_MS, EngineDeath, rests_until

MINUTE = 60_000


def deaths(*jobs: str, every_ms: int = MINUTE) -> list[EngineDeath]:
    """Deaths a minute apart; each under the jobs whose letters are given."""
    return [EngineDeath(n * every_ms, frozenset(each)) for n, each in enumerate(jobs)]


def test_an_engine_that_dies_under_one_job_after_another_rests() -> None:
    """It is the machine: the third death in ten minutes without a common job takes it out of service."""
    assert rests_until(deaths("ab", "c", "d"), 2 * MINUTE) == 2 * MINUTE + REST_MS


def test_poison_does_not_make_a_machine_sick() -> None:
    """One job was part of every death: the queue sees to that one."""
    assert rests_until(deaths("ax", "bx", "x"), 2 * MINUTE) is None


def test_two_deaths_are_no_pattern() -> None:
    """Engines die now and then."""
    assert rests_until(deaths("a", "b"), MINUTE) is None


def test_a_rest_ends() -> None:
    """It tries again; dying once more at once begins the next rest."""
    after = 2 * MINUTE + REST_MS

    assert rests_until(deaths("a", "b", "c"), after) is None
    again = [*deaths("a", "b", "c"), EngineDeath(after, frozenset("d"))]
    assert rests_until(again, after) == after + REST_MS


def test_old_deaths_are_forgotten() -> None:
    """What happened more than ten minutes ago says nothing of now."""
    assert rests_until(deaths("a", "b", "c", every_ms=WINDOW_MS), 2 * WINDOW_MS) is None


def test_the_death_of_an_idle_engine_costs_nobody_anything() -> None:
    """Only deaths under jobs count."""
    assert rests_until(deaths("a", "", "", "b"), 3 * MINUTE) is None
