"""The model and Redis drawn alike, so that they can be laid one upon the other."""

from .sight import Sight, gist_of_data
from .world import CLASSES, Job, World

Picture = dict[str, object]


def differences(world: World, sight: Sight) -> list[str]:
    """Where the two are not the same, in words; empty where Redis is what the protocol says."""
    return [
        f"{each}: the protocol says {says}, Redis has {has}"
        for each, says, has in apart(of_world(world), of_sight(sight))
    ]


def apart(one: Picture, other: Picture) -> list[tuple[str, object, object]]:
    """What the two have under one name that is not the same."""
    names = sorted(one.keys() | other.keys())
    return [(name, one.get(name), other.get(name)) for name in names if one.get(name) != other.get(name)]


def of_world(world: World) -> Picture:
    """The model."""
    picture: Picture = {
        "leases": {worker.id: worker.lease == "live" for worker in world.workers.values() if worker.lease != "gone"},
        "workers": set(world.workers),
        "consumers": world.consumers,
        "dead": sorted(world.dead),
        "replies": sorted(world.replies),  # a reply stream has no order
        "cancels": world.cancels,
        "deadlines": {job.id for job in world.jobs.values() if job.is_timed},
        "forewarned": world.forewarned,
    }
    for name in CLASSES:
        picture[f"stream {name}"] = [(entry.job_id, entry.reader, entry.not_on) for entry in world.streams[name]]
    for job in world.jobs.values():
        picture[f"job {job.id}"] = _job(job)
        picture[f"log {job.id}"] = job.log or None
    return picture


def _job(job: Job) -> dict[str, object]:
    return {
        "state": job.state,
        "attempt": job.attempt,
        "owner": job.owner,
        "seq": job.seq,
        "class": job.job_class,
        "mark": job.mark,
        "barren": job.barren,
        "strikes": job.strikes,
        "struck_on": job.struck_on,
        "hand_backs": job.hand_backs,
        "cancel": job.cancel,
        "ending": job.ending,
        "why": job.why,
        "attached": job.is_attached,
        "unheard": job.unheard,
        "late": bool(job.lateness),
    }


def of_sight(sight: Sight) -> Picture:
    """What Redis holds."""
    picture: Picture = {
        "leases": {worker: ends > sight.now_ms for worker, ends in sight.leases.items()},
        "workers": sight.workers,
        "consumers": sight.consumers,
        "dead": sorted(sight.dead),
        "replies": sorted(sight.replies),
        "cancels": sight.cancels,
        "deadlines": set(sight.deadlines),
        "forewarned": {job_id for job_id, record in sight.records.items() if "state" not in record},
    }
    for name, places in sight.streams.items():
        picture[f"stream {name}"] = [(place.job_id, place.reader, place.not_on) for place in places]
    for job_id, record in sight.records.items():
        if "state" in record:
            picture[f"job {job_id}"] = _record(record, sight.now_ms)
    for job_id, entries in sight.logs.items():
        picture[f"log {job_id}"] = [(entry.attempt, gist_of_data(entry.data)) for entry in entries]
    return picture


def _record(record: dict[str, str], now_ms: int) -> dict[str, object]:
    texts = {name: record.get(name, "") for name in ("state", "owner", "class", "struck_on", "cancel", "ending", "why")}
    names = ("attempt", "seq", "mark", "barren", "strikes", "hand_backs")
    unheard = int(record.get("unheard", "0"))
    return {
        **texts,
        **{name: int(record.get(name, "0")) for name in names},
        "attached": record["attached"] == "1",
        "unheard": {0: "", 1: "long"}.get(unheard, "lately"),
        "late": record["state"] != "ended" and int(record["deadline"]) <= now_ms,
    }
