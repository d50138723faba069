"""The page in a browser: what a person does with it, and what it does then."""

import asyncio
import signal
import sys

import pytest
from playwright.async_api import expect

from shared.claims import Row
from shared.event import Cancelled, Token
from tests.gateway.access.conftest import GivenKeys
from tests.gateway.conftest import Eventually, Serving
from tests.gateway.hand import DONE, MODEL, text_in, tokens
from tests.pool import MODEL as POOL_MODEL
from tests.pool import StartPool

from .conftest import PREFIX, Browse, Proxied

VIEWS = ("", "try", "jobs", "dead", "connect")
HOSTILE = (
    "<script>window.caught = 1</script><img src=x onerror='window.caught = 2'>\n\n"
    "[a link](javascript:window.caught=3) and [another](https://example.org/a) \x1b]0;title\x07\x1b[2J "
    "\u202egnp.exe\n\n"
    "```html\n<b onclick=alert(1)>안녕 👩‍🚀</b>\n```\n\n| a | b |\n|---|---|\n| <i>1</i> | 2 |\n"
)


async def test_a_chat_streams_and_stops(start_pool: StartPool, browse: Browse, eventually: Eventually) -> None:
    """Text comes while the model writes; Stop frees the seat, and what has come stays."""
    async with start_pool(step_ms=20) as pool, browse(pool.url) as tab:
        await tab.go("try")
        answer = tab.page.locator(".answer")

        await tab.ask("안녕하세요")
        await expect(answer.locator(".prose")).to_contain_text("하세요")
        await tab.page.get_by_role("button", name="Stop").click()

        await expect(answer.locator(".meta")).to_contain_text("stopped")
        assert await answer.locator(".prose").inner_text()
        await eventually(lambda: pool.busy(0))


async def test_a_new_conversation_ends_the_answer_of_the_old_one(
    serving: Serving, browse: Browse, eventually: Eventually
) -> None:
    """Nobody wants it any more, so it does not keep its seat."""
    async with serving() as served, browse(f"http://127.0.0.1:{served.port}") as tab:
        await tab.go("try")
        await tab.ask("x")
        job = await served.hand.claim()
        await served.hand.say(job, served.hand.started(job), *tokens("one "))
        await expect(tab.page.locator(".answer .prose")).to_contain_text("one")

        await tab.page.get_by_role("button", name="New conversation").click()

        async def is_cancelled() -> bool:
            [verdict] = await served.hand.claims.append([Row(job.id, job.attempt, 1, [])])
            return verdict.asked == "cancelled"

        await eventually(is_cancelled)
        await served.hand.end(job, Cancelled())


async def test_a_hostile_answer_stays_text(serving: Serving, browse: Browse) -> None:
    """Nothing that a model writes becomes anything but text, and links to the web that say where they lead."""
    async with serving() as served, browse(f"http://127.0.0.1:{served.port}") as tab:
        await tab.go("try")
        await tab.ask("x")
        job = await served.hand.claim()
        await served.hand.end(job, served.hand.started(job), Token(content=HOSTILE, tokens=[1], warning=HOSTILE), DONE)

        prose = tab.page.locator(".answer .prose")
        await expect(prose).to_contain_text("<script>window.caught = 1</script>")
        assert await tab.page.evaluate("window.caught") is None
        assert await tab.page.locator(".answer :is(script, img, iframe, [onclick], [onerror])").count() == 0
        links = await prose.locator("a").evaluate_all("links => links.map(link => link.href)")
        assert links == ["https://example.org/a"]
        shown = await prose.inner_text()
        assert "\x1b" not in shown
        assert "\u202e" not in shown
        assert "안녕 👩‍🚀" in shown


@pytest.mark.long
async def test_a_reload_goes_on_where_the_answer_was(serving: Serving, browse: Browse) -> None:
    """The job runs on meanwhile; not a word is lost or doubled."""
    async with serving() as served, browse(f"http://127.0.0.1:{served.port}") as tab:
        await tab.go("try")
        await tab.ask("x")
        job = await served.hand.claim()
        await served.hand.say(job, served.hand.started(job), *tokens("one ", "two "))
        prose = tab.page.locator(".answer .prose")
        await expect(prose).to_have_text("one two ")

        await tab.page.reload()
        await expect(prose).to_have_text("one two ")
        await served.hand.end(job, *tokens("three ", "four", first=3), DONE)

        await expect(prose).to_have_text("one two three four")
        await expect(tab.page.locator(".answer .meta")).to_contain_text("2 tokens")


@pytest.mark.long
async def test_a_killed_worker_turns_its_card_and_the_stream_goes_on(start_pool: StartPool, browse: Browse) -> None:
    """The operator sees which machine is gone; who reads the answer sees that another one goes on."""
    async with start_pool(workers=2, step_ms=40) as pool, browse(pool.url) as tab, browse(pool.url) as wall:
        await tab.go("try")
        await tab.page.get_by_label("Most tokens").fill("250")
        await tab.ask("x")
        meta = tab.page.locator(".answer .meta")
        await expect(meta).to_contain_text("mac-")
        name = (await meta.inner_text()).split()[0]

        pool.workers[int(name[-1]) - 1].send_signal(signal.SIGKILL)

        await expect(wall.page.locator(".card", has_text=name)).to_have_attribute("data-state", "gone")
        await expect(wall.page.locator(".incidents")).to_contain_text("is gone")
        await expect(meta).to_contain_text("→")
        await expect(meta).to_contain_text("250 tokens", timeout=30_000)
        text = await tab.page.evaluate("JSON.parse(sessionStorage['mlx-pool.talk']).turns[1]")
        whole = (await pool.http.get(f"/chat/{text['id']}", params={"stream": "false"})).json()
        assert text["text"] == whole["content"]


@pytest.mark.long
async def test_it_works_behind_a_path(serving: Serving, browse: Browse, proxied: Proxied) -> None:
    """Of another server's address the pool may be one path: every URL of the page is relative."""
    async with serving() as served, proxied(served.port) as url, browse(url) as tab:
        await expect(tab.page.locator("#link-state")).to_have_text("live")
        await expect(tab.page.locator(".card")).to_have_count(1)

        await tab.go("try")
        await tab.ask("x")
        await served.hand.generate("a", "b")

        await expect(tab.page.locator(".answer .prose")).to_have_text("ab")
        assert url.endswith(PREFIX)
        assert not [asked for asked in tab.asked if PREFIX not in asked]


@pytest.mark.long
async def test_signing_in_keeps_the_key_out_of_urls(serving: Serving, browse: Browse, keys: GivenKeys) -> None:
    """A wrong key is told so; the right one lives as long as the tab, and stands in no address."""
    key = keys.give("who")["authorization"].removeprefix("Bearer ")
    async with serving(keys=keys.path) as served, browse(f"http://127.0.0.1:{served.port}", may_refuse=True) as tab:
        for attempt in ("mlxp_wrong", key):
            await tab.page.get_by_label("API key").fill(attempt)
            await tab.page.get_by_role("button", name="Sign in").click()
            if attempt != key:
                await expect(tab.page.get_by_role("alert").filter(has_text="opens nothing")).to_be_visible()
        await expect(tab.page.locator(".card")).to_have_count(1)
        await tab.page.reload()
        await expect(tab.page.locator(".card")).to_have_count(1)
        await tab.go("dead")
        await expect(tab.page.get_by_role("alert").filter(has_text="for operators")).to_be_visible()

        await tab.page.get_by_role("button", name="Sign out").click()

        await expect(tab.page.get_by_label("API key")).to_be_visible()
        assert not [url for url in tab.asked if "mlxp_" in url]


@pytest.mark.long
@pytest.mark.parametrize("width", [400, 1_280])
async def test_no_view_is_wider_than_the_window(start_pool: StartPool, browse: Browse, width: int) -> None:
    """From a telephone's four hundred pixels on nothing has to be scrolled sideways; nothing is complained of."""
    async with start_pool(workers=2) as pool, browse(pool.url, width=width, is_dark=width == 400) as tab:
        await expect(tab.page.locator(".card")).to_have_count(2)
        for view in VIEWS:
            await tab.go(view)
            if view == "try":
                await tab.ask("a" * 300)
                await expect(tab.page.locator(".answer .prose")).not_to_be_empty()
            await expect(tab.page.locator("h1")).to_have_count(1)
            wide = await tab.page.evaluate("document.documentElement.scrollWidth")
            assert (view, wide <= width) == (view, True)


@pytest.mark.long
async def test_the_line_with_which_a_machine_joins_is_seen_whole(start_pool: StartPool, browse: Browse) -> None:
    """On a telephone, too: it is copied, or typed by somebody who reads it there; a made-up engine is part of it."""
    cut = "[...document.querySelectorAll('.code pre')].filter(node => node.scrollWidth > node.clientWidth).length"
    async with start_pool(workers=1) as pool, browse(pool.url, width=400) as tab:
        await tab.go("connect")
        lines = tab.page.locator(".code pre")

        await expect(lines.first).to_contain_text("mlx-pool join redis://")
        await expect(lines.first).to_contain_text(f"--model {POOL_MODEL} --engine scripted")
        await expect(lines.nth(1)).to_contain_text(f"curl -fsSL {pool.url}/join | sh -s -- redis://")
        assert await tab.page.evaluate(cut) == 0


@pytest.mark.long
async def test_the_lines_that_it_shows_do_what_was_asked(start_pool: StartPool, browse: Browse) -> None:
    """What was asked on the page is asked by curl and by Python's SDK in the same way: quotes, Korean and all."""
    async with start_pool(step_ms=1) as pool, browse(pool.url) as tab:
        await tab.go("try")
        await tab.page.get_by_label("Most tokens").fill("7")
        await tab.page.get_by_label("Seed").fill("5")
        await tab.ask("""it's "안녕" $HOME `x` \\n""")
        await expect(tab.page.locator(".answer .meta")).to_contain_text("7 tokens")
        said = (await tab.page.evaluate("JSON.parse(sessionStorage['mlx-pool.talk']).turns[1]"))["text"]

        lines: list[str] = []
        for name in ("curl", "Python"):
            await tab.page.get_by_role("tab", name=name).click()
            lines.append(await tab.page.locator("#lines code").inner_text())
        curl, python = await asyncio.gather(run("bash", "-c", lines[0]), run(sys.executable, "-c", lines[1]))

        assert text_in(curl) == python == said


async def run(*command: str) -> str:
    """Run a command; what it says."""
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    said, _ = await process.communicate()
    return said.decode()


@pytest.mark.long
async def test_it_can_be_used_without_a_mouse(serving: Serving, browse: Browse) -> None:
    """The first key leads past the frame, a link is a link, and all that can be used has a name for a screen reader."""
    nameless = """[...document.querySelectorAll('button, input, select, textarea, a, [role=img]')].filter(node =>
        node.checkVisibility() && !(node.innerText?.trim() || node.ariaLabel || node.labels?.length || node.title))"""
    async with serving() as served, browse(f"http://127.0.0.1:{served.port}") as tab:
        await expect(tab.page.locator(".card")).to_have_count(1)
        await tab.page.keyboard.press("Tab")
        await tab.page.keyboard.press("Enter")
        assert await tab.page.evaluate("document.activeElement.id") == "main"

        for view in VIEWS:
            await tab.go(view)
            await expect(tab.page.locator("nav [aria-current]")).to_have_count(1)
            assert await tab.page.evaluate(f"{nameless}.map(node => node.outerHTML)") == []


@pytest.mark.long
async def test_a_jobs_life_is_drawn_from_lane_to_lane(serving: Serving, browse: Browse) -> None:
    """From the answer it is one link: when it waited, who ran it, how it ended."""
    async with serving() as served, browse(f"http://127.0.0.1:{served.port}") as tab:
        await tab.go("try")
        await tab.ask("x")
        await served.hand.generate("a")

        await tab.page.get_by_role("link", name="Timeline").click()

        await expect(tab.page.locator(".lane-name")).to_have_text(["queue", "host"])
        await expect(tab.page.locator(".incidents")).to_contain_text("claimed by host.1.aaaa")
        await expect(tab.page.locator(".incidents")).to_contain_text("done")


@pytest.mark.long
async def test_a_dead_letter_runs_again_or_is_dropped(serving: Serving, browse: Browse) -> None:
    """The operator reads what was asked, and decides."""
    async with serving() as served, browse(f"http://127.0.0.1:{served.port}") as tab:
        for number in range(2):
            entry = (
                "why",
                "poisoned",
                "at",
                1,
                "id",
                f"old-{number}",
                "body",
                '{"prompt":"<b>x</b>"}',
                "on",
                "mac-1 mac-2",
            )
            await served.hand.broker.command("XADD", served.hand.queue.keys.dead, "*", *entry)
        await tab.go("dead")
        await expect(tab.page.locator(".letter")).to_have_count(2)
        await expect(tab.page.locator(".letter").first).to_contain_text("on mac-1, mac-2")
        await expect(tab.page.locator(".letter").first).to_contain_text("Engines died under it")

        await tab.page.get_by_role("button", name="Drop").first.click()
        await expect(tab.page.locator(".letter")).to_have_count(1)
        await tab.page.get_by_role("button", name="Run again").click()

        assert (await served.hand.claim()).body == b'{"prompt":"<b>x</b>"}'
        await expect(tab.page.locator("main")).to_contain_text("It runs again")


@pytest.mark.long
async def test_the_first_paint_is_soon(serving: Serving, browse: Browse) -> None:
    """On this machine within a few hundred milliseconds, even on a core that others use; the second visit is sooner."""
    async with serving() as served, browse(f"http://127.0.0.1:{served.port}") as tab:
        await expect(tab.page.locator(".card")).to_have_count(1)
        paint = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
        await tab.page.reload()
        await tab.page.wait_for_function(f"{paint} > 0")

        assert await tab.page.evaluate(paint) < 1_500
        assert await tab.page.locator(".model strong").inner_text() == MODEL
