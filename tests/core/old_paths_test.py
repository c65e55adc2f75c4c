"""Pickles and JSON that were written before the modules moved are still read."""

import base64
import pickle
import sys
from typing import Any

import numpy as np
import pytest

import lrsched
from lrsched import _old_paths
from lrsched.controllers import PlateauState, reduce_on_plateau
from lrsched.range_test import RangeTest, Suggestion
from tests.optional import needs

NESTED = lrsched.warmup(
    lrsched.join([lrsched.cyclic(0.01, 0.1, 20), lrsched.cosine_restarts(0.1, 10, 2)], [80])
    * lrsched.exponential_decay(1.0, 0.99),
    10,
)
NESTED_PICKLE = """
gASVbgEAAAAAAACMEWxyc2NoZWQuX3NjaGVkdWxllIwIX3Jlc3RvcmWUk5SMD2xyc2NoZWQuY29tYmluZZSMBndhcm11
cJSTlChoAmgDjAdwcm9kdWN0lJOUaAJoA4wEam9pbpSTlGgCjA5scnNjaGVkLmN5Y2xlc5SMBmN5Y2xpY5STlChHP4R6
4UeuFHtHP7mZmZmZmZpLFE6MCnRyaWFuZ3VsYXKURz/wAAAAAAAAjAZsaW5lYXKUdJSGlFKUaAKMEGxyc2NoZWQucmVz
dGFydHOUjA9jb3NpbmVfcmVzdGFydHOUk5QoRz+5mZmZmZmaSwpLAkcAAAAAAAAAAEc/8AAAAAAAAHSUhpRSlIaUS1CF
lIaUhpRSlGgCjA1scnNjaGVkLmRlY2F5lIwRZXhwb25lbnRpYWxfZGVjYXmUk5QoRz/wAAAAAAAARz/vrhR64UeuSwGJ
dJSGlFKUhpSGlFKUSwpHAAAAAAAAAABoDnSUhpRSlC4="""
NESTED_JSON = """
{"lrsched": 1, "schedule": "warmup", "params": {"schedule": {"schedule": "product", "params":
{"first": {"schedule": "join", "params": {"schedules": [{"schedule": "cyclic", "params":
{"init_value": 0.01, "peak_value": 0.1, "up_steps": 20, "down_steps": null, "mode": "triangular",
"decay_rate": 1.0, "shape": "linear"}}, {"schedule": "cosine_restarts", "params": {"init_value":
0.1, "first_steps": 10, "period_mult": 2, "end_value": 0.0, "peak_mult": 1.0}}], "boundaries":
[80]}}, "second": {"schedule": "exponential_decay", "params": {"init_value": 1.0, "decay_rate":
0.99, "decay_steps": 1, "staircase": false}}}}, "warmup_steps": 10, "init_value": 0.0, "shape":
"linear"}}"""

TIMED = lrsched.cosine_decay(0.1, lrsched.run_fraction(0.9) - lrsched.epochs(2) + 5)
TIMED_PICKLE = """
gASVqgAAAAAAAACMEWxyc2NoZWQuX3NjaGVkdWxllIwIX3Jlc3RvcmWUk5SMDWxyc2NoZWQuZGVjYXmUjAxjb3NpbmVf
ZGVjYXmUk5RHP7mZmZmZmZqMEmxyc2NoZWQuX2R1cmF0aW9uc5SMCER1cmF0aW9ulJOUKYGUXZQoRz/szMzMzMzNjANy
dW6UhpRK/v///4wGZXBvY2hzlIaUhpRLBWViRwAAAAAAAAAAh5SGlFKULg=="""
TIMED_JSON = """
{"lrsched": 1, "schedule": "cosine_decay", "params": {"init_value": 0.1, "decay_steps":
{"duration": [{"run": 0.9}, {"epochs": -2}, {"steps": 5}]}, "end_value": 0.0}}"""

PLATEAU_PICKLE = """
gASVlAAAAAAAAACMD2xyc2NoZWQucGxhdGVhdZSMB1BsYXRlYXWUk5QpgZRdlChHP7mZmZmZmZpHP+AAAAAAAABLAYwD
bWlulEc/Gjbi6xxDLYwDcmVslEsARwAAAAAAAAAARz5FeY7iMIw6ZWJoAIwMUGxhdGVhdVN0YXRllJOUKEc/qZmZmZmZ
mkdACAAAAAAAAEsASwB0lIGUhpQu"""

RANGE_TEST_PICKLE = """
gASVBAIAAAAAAACMEmxyc2NoZWQucmFuZ2VfdGVzdJSMCVJhbmdlVGVzdJSTlCmBlH2UKIwObGVhcm5pbmdfcmF0ZXOU
jBZudW1weS5fY29yZS5tdWx0aWFycmF5lIwMX3JlY29uc3RydWN0lJOUjAVudW1weZSMB25kYXJyYXmUk5RLAIWUQwFi
lIeUUpQoSwFLA4WUaAmMBWR0eXBllJOUjAJmOJSJiIeUUpQoSwOMATyUTk5OSv////9K/////0sAdJRiiUMY/Knx0k1i
UD97FK5H4XqEP5qZmZmZmbk/lHSUYowGbG9zc2VzlGgIaAtLAIWUaA2HlFKUKEsBSwOFlGgViUMYAAAAAAAAAEAAAAAA
AAD4PwAAAAAAAPw/lHSUYowHc3RvcHBlZJSMCGZpbmlzaGVklIwIc2NoZWR1bGWUjBFscnNjaGVkLl9zY2hlZHVsZZSM
CF9yZXN0b3JllJOUjAxscnNjaGVkLnJhbXCUjBBleHBvbmVudGlhbF9yYW1wlJOURz9QYk3S8an8Rz+5mZmZmZmaSwKH
lIaUUpSMB21ldHJpY3OUfZSMBXByb2JllE6MBWxhYmVslIwGYmVmb3JllHVijBBscnNjaGVkLl9zdWdnZXN0lIwKU3Vn
Z2VzdGlvbpSTlEc/UGJN0vGp/Ec/dHrhR64Ue0c/lHrhR64Ue4eUgZSGlC4="""


def unpickled(text: str) -> Any:
    return pickle.loads(base64.b64decode(text))


@pytest.mark.parametrize(
    ("text", "schedule"), [(NESTED_PICKLE, NESTED), (TIMED_PICKLE, TIMED)], ids=["nested", "timed"]
)
def test_a_schedule_is_unpickled(text: str, schedule: lrsched.Schedule) -> None:
    found = unpickled(text)
    assert found == schedule
    assert repr(found) == repr(schedule)
    assert hash(found) == hash(schedule)
    assert b"_schedule" in base64.b64decode(text)  # the module that it was in
    assert pickle.loads(pickle.dumps(found)) == schedule


@pytest.mark.parametrize(
    ("text", "schedule"), [(NESTED_JSON, NESTED), (TIMED_JSON, TIMED)], ids=["nested", "timed"]
)
def test_a_schedule_is_read_from_json(text: str, schedule: lrsched.Schedule) -> None:
    assert lrsched.from_json(text) == schedule


def test_a_plateau_is_unpickled_with_its_state() -> None:
    plateau, state = unpickled(PLATEAU_PICKLE)
    assert plateau == reduce_on_plateau(0.1, 0.5, patience=1)
    assert state == PlateauState(0.05, 3.0, 0, 0)
    assert plateau.update(state, 2.0) == PlateauState(0.05, 2.0, 0, 0)


def test_a_range_test_is_unpickled_with_its_suggestion() -> None:
    test, suggestion = unpickled(RANGE_TEST_PICKLE)
    assert isinstance(test, RangeTest)
    np.testing.assert_array_equal(test.learning_rates, [0.001, 0.01, 0.1])
    np.testing.assert_array_equal(test.losses, [2.0, 1.5, 1.75])
    assert (test.stopped, test.label, test.probe, test.metrics) == ("finished", "before", None, {})
    assert test.schedule == lrsched.exponential_ramp(0.001, 0.1, 2)
    assert suggestion == Suggestion(0.001, 0.005, 0.02)
    assert isinstance(suggestion, Suggestion)
    assert (test.earlier, test.quantity, test.ratios) == (None, "loss", None)
    assert (suggestion.band, suggestion.warning) == ((0.001, 0.02), "")
    assert test.summary == "3 updates at learning rates from 0.001 to 0.1"


# A name that pickles have from each of the modules.
NAMES = {
    "lrsched._durations": "Duration",
    "lrsched._probe": "Probe",
    "lrsched._schedule": "_restore",
    "lrsched._suggest": "Suggestion",
    "lrsched._valley": "NoSuggestion",
    "lrsched.anneal": "anneal",
    "lrsched.chebyshev": "fractal_chebyshev",
    "lrsched.combine": "join",
    "lrsched.cycles": "one_cycle",
    "lrsched.decay": "cosine_decay",
    "lrsched.inverse": "inverse_sqrt",
    "lrsched.noise": "noise",
    "lrsched.plateau": "reduce_on_plateau",
    "lrsched.ramp": "linear",
    "lrsched.rampup": "log_warmup",
    "lrsched.restarts": "cosine_restarts",
    "lrsched.transform": "delay",
    "lrsched_torch._device": "DeviceLR",
    "lrsched_torch._hyperparameters": "HyperparameterLR",
    "lrsched_torch._lambda_lr": "ScheduleLR",
    "lrsched_torch._plateau": "PlateauLR",
}


@pytest.mark.parametrize("module", _old_paths.MOVED)
def test_every_old_module_has_what_pickles_name(module: str) -> None:
    if module.startswith("lrsched_torch"):
        needs("torch")
    assert getattr(sys.modules[module], NAMES[module]) is not None
