"""How likely each token was, in the words of both APIs."""

from shared.event import Token, TokenLogprob, TopLogprob
from tests.gateway.conftest import Serving

from .sdk import ASK, CHAT, STOP, TEXT, answered, chunks_of, openai_on

TOPS = [TopLogprob("안", -0.1, [236, 149, 136]), TopLogprob("네", -2.5, [235, 132, 164])]
TOKENS = [
    Token(content="안", tokens=[1], logprobs=[TokenLogprob("안", -0.1, [236, 149, 136], TOPS)]),
    Token(content="녕!", tokens=[2, 3], logprobs=[TokenLogprob(each, -1.0, [*each.encode()], []) for each in "녕!"]),
]


async def test_a_chat_tells_them_as_the_engine_did(serving: Serving) -> None:
    """Entry for entry; `top_logprobs` is how many alternatives the job asks for."""
    async with serving() as served, openai_on(served) as client:
        asking = client.chat.completions.create(model="tiny", messages=ASK, logprobs=True, top_logprobs=2)
        told, job = await answered(served, asking, *TOKENS, STOP)

        logprobs = told.choices[0].logprobs
        assert logprobs
        assert logprobs.content
        assert [entry.token for entry in logprobs.content] == ["안", "녕", "!"]
        assert [(top.token, top.bytes) for top in logprobs.content[0].top_logprobs] == [
            ("안", [236, 149, 136]),
            ("네", [235, 132, 164]),
        ]
        assert job["logprobs"] == 2


async def test_a_stream_has_them_beside_their_text(serving: Serving) -> None:
    """Every chunk with text has its own; without the field all are null."""
    async with serving() as served:
        body = {"model": "tiny", "messages": ASK, "stream": True, "logprobs": True}
        answer, job = await answered(served, served.http.post(CHAT, json=body), *TOKENS, STOP)

        choices = [chunk["choices"][0] for chunk in chunks_of(answer.text)]
        told = [[each["token"] for each in choice["logprobs"]["content"]] for choice in choices if choice["logprobs"]]
        assert told == [["안"], ["녕", "!"]]
        assert [choice["delta"]["content"] for choice in choices if choice["logprobs"]] == ["안", "녕!"]
        assert job["logprobs"] == 0


async def test_a_text_completion_has_four_lists(serving: Serving) -> None:
    """Tokens, their logprobs, the likeliest ones, and where in the text each begins; in a stream they go on."""
    async with serving() as served:
        body = {"prompt": "x", "logprobs": 2}
        whole, _ = await answered(served, served.http.post(TEXT, json=body), *TOKENS, STOP)
        stream, _ = await answered(served, served.http.post(TEXT, json=body | {"stream": True}), *TOKENS, STOP)

        told = whole.json()["choices"][0]["logprobs"]
        assert told["tokens"] == ["안", "녕", "!"]
        assert told["token_logprobs"] == [-0.1, -1.0, -1.0]
        assert told["top_logprobs"][0] == {"안": -0.1, "네": -2.5}
        assert told["text_offset"] == [0, 1, 2]
        parts = [logprobs for chunk in chunks_of(stream.text) if (logprobs := chunk["choices"][0]["logprobs"])]
        assert [part["text_offset"] for part in parts] == [[0], [1, 2]]
