"""What a key is for: models, and the class `hi`."""

from shared.connection import connect
from tests.gateway.conftest import Serving
from tests.gateway.hand import MODEL, Hand, refusal

from .conftest import GivenKeys

BACKGROUND = {"prompt": "x", "background": True, "stream": False}


async def test_a_model_that_a_key_is_not_for_is_a_403(serving: Serving, keys: GivenKeys) -> None:
    """Whether it is served or not can't be told from the answer."""
    who = keys.give("who", models=["other"])
    async with serving(keys=keys.path) as served:
        served_one, unknown = [
            await served.http.post("/chat", json=BACKGROUND | {"model": model}, headers=who)
            for model in (MODEL, "tinny")
        ]

        assert refusal(served_one) == refusal(unknown) == (403, "key_not_allowed", "model")
        assert served_one.content == unknown.content


async def test_a_key_knows_of_no_models_but_its_own(serving: Serving, keys: GivenKeys, broker: str) -> None:
    """Where it names none, its own is the only one; messages and lists name no others."""
    who, all_of_them = keys.give("who", models=[MODEL, "later"]), keys.give("all")
    async with serving(keys=keys.path) as served:
        other = Hand(connect(broker, name="other"), "other", "host.2.bbbb")
        await other.join()

        chosen = await served.http.post("/chat", json=BACKGROUND, headers=who)
        later = await served.http.post("/chat", json=BACKGROUND | {"model": "later"}, headers=who)
        unclear = await served.http.post("/chat", json=BACKGROUND, headers=all_of_them)

        assert chosen.status_code == 202
        assert refusal(later) == (404, "model_not_found", "model")
        assert "other" not in later.text
        assert refusal(unclear) == (400, "missing_field", "model")
        await other.broker.aclose()


async def test_a_default_that_a_key_is_not_for_is_not_its_default(serving: Serving, keys: GivenKeys) -> None:
    """The gateway's default is taken by those who may have it."""
    who = keys.give("who", models=[MODEL])
    async with serving(keys=keys.path, default_model="other") as served:
        answer = await served.http.post("/chat", json=BACKGROUND, headers=who)

        assert answer.status_code == 202


async def test_an_alias_leads_to_what_a_key_is_for(serving: Serving, keys: GivenKeys) -> None:
    """The name that was asked for is only a name; the wildcard leads nowhere else, either."""
    may, may_not = keys.give("may", models=[MODEL]), keys.give("may-not", models=["other"])
    async with serving(keys=keys.path, model_alias=f"gpt-4={MODEL},*={MODEL}") as served:
        for name in ("gpt-4", "anything"):
            body = BACKGROUND | {"model": name}
            assert (await served.http.post("/chat", json=body, headers=may)).status_code == 202
            refused = await served.http.post("/chat", json=body, headers=may_not)
            assert refusal(refused) == (403, "key_not_allowed", "model")


async def test_the_class_hi_is_for_those_who_may(serving: Serving, keys: GivenKeys) -> None:
    """Whoever could call every job urgent would make nobody's urgent."""
    may, may_not = keys.give("may", may_hi=True), keys.give("may-not")
    async with serving(keys=keys.path) as served:
        body = BACKGROUND | {"class": "hi"}

        refused = await served.http.post("/chat", json=body, headers=may_not)

        assert refusal(refused) == (403, "key_not_allowed", "class")
        assert (await served.http.post("/chat", json=body, headers=may)).status_code == 202
