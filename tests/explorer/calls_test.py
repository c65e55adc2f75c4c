"""The page's questions and answers, as JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from lrsched.explorer.calls import CALLS, answer
from lrsched.explorer.examples import EXAMPLES

WARM = "warmup(cosine_decay(0.1, 900), 100)"
ASKED: dict[str, dict[str, Any]] = {
    "about": {},
    "change": {"text": WARM, "path": ["warmup_steps"], "value": "50"},
    "code": {"text": WARM, "lengths": {}},
    "compare": {"a": WARM, "b": "cosine_decay(0.1, 900)", "lengths": {}, "steps": 1000},
    "complete": {"text": WARM, "place": 10},
    "describe": {"text": WARM},
    "draw": {"recipes": [WARM, "epochs("], "lengths": {"steps_per_epoch": "10"}, "axis": "epochs"},
    "open_file": {"name": "a.json", "content": '{"name": "constant", "value": 1}', "given": {}},
    "read_state": {"fragment": ""},
    "write_state": {
        "state": {
            "curves": [{"recipe": WARM, "name": "", "colour": 0, "hidden": False}],
            "lengths": {},
            "axis": "step",
            "log": False,
            "from": None,
            "to": None,
            "against": [0, 1],
        }
    },
}


def ask(call: str, **arguments: Any) -> Any:
    return json.loads(answer(json.dumps({"call": call, "arguments": arguments})))


def test_every_call_is_asked() -> None:
    assert ASKED.keys() == CALLS.keys()


@pytest.mark.parametrize("call", ASKED)
def test_a_call_is_answered(call: str) -> None:
    found = ask(call, **ASKED[call])
    assert found == {"answer": json.loads(json.dumps(CALLS[call](**ASKED[call])))}


def test_the_examples_are_those_of_the_gallery() -> None:
    assert [each["recipe"] for each in CALLS["about"]()["examples"]] == list(map(repr, EXAMPLES))


def test_a_refusal_has_its_place() -> None:
    refused = ask("describe", text="warmup(cosin_decay(0.1, 900), 100)")["refused"]
    assert refused["message"].startswith("recipe: column 8: did you mean 'cosine_decay'?")
    assert (refused["line"], refused["column"]) == (1, 8)
    refused = ask("describe", text="warmup(\n  cosin_decay(0.1, 900), 100)")["refused"]
    assert (refused["line"], refused["column"]) == (2, 3)
    refused = ask("read_state", fragment="x=1")["refused"]
    assert (refused["line"], refused["column"]) == (None, None)


def test_what_is_too_large_is_refused() -> None:
    assert "at most" in ask("describe", text="constant(1)" * 1000)["refused"]["message"]


def test_no_array_library_is_imported() -> None:
    code = f"""
import json, sys
from lrsched.explorer.calls import answer
for call, arguments in {ASKED!r}.items():
    assert "answer" in json.loads(answer(json.dumps({{"call": call, "arguments": arguments}})))
found = [name for name in ("numpy", "jax", "torch", "array_api_compat") if name in sys.modules]
assert not found, found
"""
    subprocess.run([sys.executable, "-c", code], check=True)
