"""A completions request as jobs."""

from typing import Any

import msgspec
import pytest

from gateway.openai.fields import TEXT
from gateway.openai.reading import read_request
from gateway.openai.text_job import text_jobs
from gateway.openai.text_request import TextRequest
from shared.errors import Refused
from shared.job import Job, encode_job, parse_job


def jobs_of(**fields: Any) -> list[Job]:
    """The jobs of a request with these fields."""
    return text_jobs(read_request(msgspec.json.encode(fields), TextRequest, TEXT)[0])


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("x", [("x", None)]),
        (["x"], [("x", None)]),
        (["x", "y"], [("x", None), ("y", None)]),
        ([5], [(None, [5])]),
        ([5, 6], [(None, [5, 6])]),
        ([[5], [6, 7]], [(None, [5]), (None, [6, 7])]),
    ],
)
def test_a_prompt_has_four_shapes(prompt: object, expected: list[object]) -> None:
    """Every text, and every list of ids, is a job."""
    jobs = jobs_of(prompt=prompt)

    assert [(job.prompt, job.tokens) for job in jobs] == expected
    assert all(parse_job(encode_job(job)).kind == "text" for job in jobs)


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({}, "missing_field", "prompt"),
    ({"prompt": ""}, "invalid_value", "prompt"),
    ({"prompt": []}, "invalid_value", "prompt"),
    ({"prompt": ["x", ""]}, "invalid_value", "prompt"),
    ({"prompt": [[]]}, "invalid_value", "prompt"),
    ({"prompt": ["x", 5]}, "invalid_value", "prompt"),
    ({"prompt": [5, [6]]}, "invalid_value", "prompt"),
    ({"prompt": [-1]}, "invalid_value", "prompt[0]"),
    ({"prompt": ["x"] * 33}, "invalid_value", "prompt"),
    ({"prompt": ["x"] * 17, "n": 2}, "invalid_value", "n"),
    ({"prompt": "x", "suffix": "y"}, "unsupported", "suffix"),
    ({"prompt": "x", "best_of": 2}, "unsupported", "best_of"),
    ({"prompt": [5], "echo": True}, "unsupported", "echo"),
    ({"prompt": "x", "echo": True, "logprobs": 1}, "unsupported", "echo"),
    ({"prompt": "x", "max_tokens": 0}, "invalid_value", "max_tokens"),
    ({"prompt": "x", "guided_json": {}}, "unsupported", "guided_json"),
]


@pytest.mark.parametrize(("given", "code", "param"), REFUSED)
def test_what_can_not_be_done_is_refused_by_name(given: dict[str, Any], code: str, param: str) -> None:
    """The path is the one in the client's own request."""
    with pytest.raises(Refused) as raised:
        jobs_of(**given)

    assert (raised.value.code, raised.value.param) == (code, param)


@pytest.mark.parametrize("given", [{"suffix": ""}, {"best_of": 3, "n": 3}, {"suffix": None, "echo": None}])
def test_what_changes_nothing_is_no_matter(given: dict[str, Any]) -> None:
    """Clients fill in what they don't use."""
    assert len(jobs_of(prompt="x", **given)) == 1
