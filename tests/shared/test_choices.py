"""Refusals of a choice tell the choices."""

import pytest

from shared.choices import choices_at
from shared.errors import Refused
from shared.job import Job, parse_job


@pytest.mark.parametrize(
    ("body", "param", "told"),
    [
        ('{"prompt":"x","class":"low"}', "class", "'low'; known: hi, lo, std."),
        ('{"messages":[{"role":"robot","content":"x"}]}', "messages[0].role", "known: assistant, system, tool, user."),
        (
            '{"prompt":"x","template_kwargs":{"reasoning_effort":"x"}}',
            "template_kwargs.reasoning_effort",
            "known: high",
        ),
        (
            '{"prompt":"x","response_format":{"type":"xml"}}',
            "response_format.type",
            "known: text, json_object, json_schema.",
        ),
    ],
)
def test_a_choice_that_is_none_is_told_the_others(body: str, param: str, told: str) -> None:
    """Whoever mistypes one need not look it up."""
    with pytest.raises(Refused) as refused:
        parse_job(body)

    assert (refused.value.code, refused.value.param) == ("invalid_value", param)
    assert told in refused.value.message


@pytest.mark.parametrize("path", ["", "prompt", "nowhere", "messages[0].nowhere", "logit_bias[...]", "a.b[0]"])
def test_where_nothing_is_chosen_there_are_no_choices(path: str) -> None:
    """Whatever the path is."""
    assert choices_at(Job, path) == ()
