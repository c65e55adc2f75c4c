"""Files of range tests and sweeps that are damaged, or are other files: refused, or read whole."""

import io
import json
import pickle
import random
import resource
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lrsched
from lrsched.range_test import Probe, RangeTest

RATES = lrsched.exponential_ramp(1e-6, 10.0, 39)(np.arange(40))
LOSSES = np.stack([2.0 - 1.5 * np.tanh(np.arange(40) / 20), np.linspace(2.0, 0.5, 40)])
TEST = RangeTest(
    RATES,
    LOSSES,
    ("finished", "diverged"),
    lrsched.exponential_ramp(1e-6, 10.0, 39),
    {"accuracy": np.ones((3, 2))},
    Probe(RATES[20:23], np.ones((3, 2, 4))),
    "a label",
    earlier=RangeTest(RATES / 1e3, LOSSES[0], "finished", probe=Probe(RATES[:2], np.ones((2, 5)))),
)
SWEEP = lrsched.Sweep(
    (lrsched.constant(0.1), lrsched.cosine_decay(0.1, 40)),
    np.stack([np.full(40, 0.1), RATES]),
    np.stack([LOSSES] * 2, axis=1),
    {"accuracy": np.ones((2, 2, 40))},
    failures={(1, 0): "its worker was lost"},
    label="a label",
)
KEPT: dict[str, Any] = {"a range test": TEST, "a sweep": SWEEP}
MUTATIONS = 1000  # in about 2 s

Mutate = Callable[[bytearray, random.Random], object]


def truncate(content: bytearray, draw: random.Random) -> None:
    del content[draw.randrange(len(content)) :]


def flip(content: bytearray, draw: random.Random) -> None:
    for _ in range(draw.choice([1, 1, 1, 2, 20])):
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)


def overwrite(content: bytearray, draw: random.Random) -> None:
    begin = draw.randrange(len(content))
    content[begin : begin + draw.randrange(1, 9)] = draw.randbytes(draw.randrange(9))


def rearrange(content: bytearray, draw: random.Random) -> None:
    begin, end = sorted(draw.randrange(len(content)) for _ in range(2))
    target = draw.randrange(len(content))
    content[target:target] = content[begin:end]


MUTATE: list[Mutate] = [truncate, flip, overwrite, rearrange]


def assert_refused_or_whole(path: Path, kept: Any = TEST) -> None:
    kind = type(kept)
    try:
        found = kind.load(path)
    except ValueError as error:
        refusal = str(error)
    else:
        repr(found)
        if kind is RangeTest:
            assert found.summary
            found.to_csv()
            found.compare(TEST)
        else:
            found.final_losses()
        found.save(path)
        kind.load(path)
        return
    words = "range test" if kind is RangeTest else "sweep"
    assert refusal.startswith(f"{kind.__name__}.load: {path} is no {words}: ")
    assert "\n" not in refusal


@pytest.mark.parametrize("kept", KEPT.values(), ids=KEPT)
@pytest.mark.parametrize("suffix", [".json", ".npz"])
def test_a_damaged_file_is_refused_or_read(suffix: str, kept: Any, tmp_path: Path) -> None:
    path = tmp_path / f"test{suffix}"
    kept.save(path)
    written = path.read_bytes()
    draw = random.Random(suffix)
    for _ in range(MUTATIONS):
        content = bytearray(written)
        draw.choice(MUTATE)(content, draw)
        path.write_bytes(content)
        assert_refused_or_whole(path, kept)


def npy(header: str, data: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    text = header.encode("latin1")
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    size = len(text).to_bytes(2 if version[0] == 1 else 4, "little")
    return b"\x93NUMPY" + version + size + text + data


def archive(
    path: Path,
    members: dict[str, bytes],
    compression: int = zipfile.ZIP_DEFLATED,
    kept: Any = TEST,
) -> None:
    """The file of `TEST`, or of another, with other members in the place of its own."""
    buffer = io.BytesIO()
    kept.save(path.with_name("whole.npz"))
    with zipfile.ZipFile(path.with_name("whole.npz")) as whole:
        stored = {name.removesuffix(".npy"): whole.read(name) for name in whole.namelist()}
    with zipfile.ZipFile(buffer, "w", compression) as file:
        for name, content in (stored | members).items():
            file.writestr(f"{name}.npy", content)
    path.write_bytes(buffer.getvalue())


def stored(value: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, value)
    return buffer.getvalue()


FLOATS = "{'descr': '<f8', 'fortran_order': False, 'shape': %s, }"
MEMBERS = {
    "claims 10**12 numbers": npy(FLOATS % "(1000000000000,)"),
    "claims 2**63 numbers": npy(FLOATS % "(9223372036854775808,)"),
    "claims rows without end": npy(FLOATS % "(4294967296, 4294967296, 40)"),
    "a negative shape": npy(FLOATS % "(-1,)", bytes(320)),
    "a shape of floats": npy(FLOATS % "(40.0,)", bytes(320)),
    "Python 2's integers": npy(FLOATS % "(40L,)", bytes(320)),
    "a warning of Python's": npy(FLOATS % "(40and 40,)", bytes(320)),
    "deep brackets": npy(FLOATS % ("(" * 4000 + ")" * 4000)),
    "no header": b"\x93NUMPY\x01\x00",
    "another version": npy(FLOATS % "(40,)", bytes(320), b"\x03\x00"),
    "no version": npy(FLOATS % "(40,)", bytes(320), b"\x09\x00"),
    "too short": npy(FLOATS % "(40,)", bytes(312)),
    "too long": npy(FLOATS % "(40,)", bytes(328)),
    "empty": b"",
    "objects": stored(np.asarray([{}] * 40, dtype=object)),
    "texts": stored(np.asarray(["1.0"] * 40)),
    "complex numbers": stored(np.ones(40, complex)),
    "times": stored(np.zeros(40, "datetime64[s]")),
    "records": stored(np.zeros(40, [("x", "<f8")])),
    "bools": stored(np.ones(40, bool)),
    "not finite": stored(np.full(40, np.nan)),
    "one too few": stored(np.ones(39)),
    "a scalar": stored(np.float64(1.0)),
    "rows": stored(np.ones((40, 40, 40))),
    "a pickle": pickle.dumps(np.ones(40)),
}


@pytest.mark.parametrize("content", MEMBERS.values(), ids=MEMBERS)
@pytest.mark.parametrize(
    "name",
    [
        *("learning_rates", "losses", "probe_losses", "metric_0", "facts"),
        *("earlier_learning_rates", "earlier_losses", "earlier_probe_losses"),
    ],
)
def test_a_damaged_array_is_refused_or_read(name: str, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "test.npz"
    archive(path, {name: content})
    assert_refused_or_whole(path)


@pytest.mark.parametrize("content", MEMBERS.values(), ids=MEMBERS)
@pytest.mark.parametrize("name", ["learning_rates", "losses", "metric_0", "facts"])
def test_a_damaged_array_of_a_sweep(name: str, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "sweep.npz"
    archive(path, {name: content}, kept=SWEEP)
    assert_refused_or_whole(path, SWEEP)


def test_a_claimed_size_is_not_allocated(tmp_path: Path) -> None:
    """8 TB are too many for any machine, 2 GB for this process."""
    path = tmp_path / "test.npz"
    archive(path, {"losses": npy(FLOATS % "(250000000,)")})
    limits = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 10**9, limits[1]))
    try:
        with pytest.raises(ValueError, match="cannot reshape array of size 0"):
            RangeTest.load(path)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compressions_are_read_and_their_damage_is_refused(
    compression: int, tmp_path: Path
) -> None:
    path = tmp_path / "test.npz"
    archive(path, {}, compression)
    assert RangeTest.load(path).label == "a label"
    written, draw = path.read_bytes(), random.Random(compression)
    for _ in range(100):
        content = bytearray(written)
        draw.choice(MUTATE)(content, draw)
        path.write_bytes(content)
        assert_refused_or_whole(path)


@pytest.mark.parametrize(
    "changed",
    [
        {"stopped": 5},
        {"stopped": "tired"},
        {"stopped": ["finished", None]},
        {"stopped": {}},
        {"metrics": 1},
        {"metrics": [[]]},
        {"metrics": ["a", "b"]},
        {"schedule": "constant(1.0)"},
        {"schedule": {"lrsched": 1, "schedule": "constant", "params": {"value": "x"}}},
        {"learning_rates": "text"},
        {"learning_rates": [10**400]},
        {"learning_rates": [[1.0], [1.0, 2.0]]},
        {"learning_rates": {"a": 1.0}},
        {"losses": None},
        {"losses": ["nan", "seven"]},
        {"losses": []},
        {"metric_0": [[1.0, 2.0, 3.0]]},
        {"probe_losses": [1.0]},
        {"probe_learning_rates": [None]},
        {"earlier": 5},
        {"earlier": []},
        {"earlier": {}},
        {"earlier": {"lrsched_range_test": 2}},
        {"earlier_losses": [1.0]},
        {"earlier_learning_rates": None},
        {"earlier_probe_losses": []},
        {"lrsched_range_test": "1"},
        {"lrsched_range_test": 1.5},
    ],
)
def test_wrong_facts_are_refused(changed: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "test.json"
    TEST.save(path)
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))
    with pytest.raises(ValueError, match=r"RangeTest\.load: .* is no range test: "):
        RangeTest.load(path)


@pytest.mark.parametrize(
    "changed",
    [
        {"schedules": []},
        {"schedules": 3},
        {"schedules": [None, None]},
        {"schedules": [lrsched.constant(0.1).to_dict()]},
        {"schedules": [lrsched.constant(0.1).to_dict(), lrsched.reduce_on_plateau(0.1).to_dict()]},
        {"metrics": ["a", "b"]},
        {"failures": {"a": 1}},
        {"failures": [[0, "x"]]},
        {"failures": [[[0, 9], "x"]]},
        {"failures": [[[0, {}], "x"]]},
        {"failures": [5]},
        {"learning_rates": [[None] * 40] * 2},
        {"losses": [[1.0] * 39] * 2},
        {"metric_0": [[1.0] * 40] * 2},
        {"lrsched_sweep": 2},
        {"lrsched_sweep": None},
    ],
)
def test_wrong_facts_of_a_sweep_are_refused(changed: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "sweep.json"
    SWEEP.save(path)
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))
    with pytest.raises(ValueError, match=r"Sweep\.load: .* is no sweep: "):
        lrsched.Sweep.load(path)


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 100_000,
        b'{"lrsched_range_test":' * 5000,
        b"1" * 5000,
        b'{"lrsched_range_test": ' + b"1" * 5000 + b"}",
        b"\xff\xfe",
        b'"\\ud800"',
        b"\0" * 100,
        b"PK",
        b"PK\x05\x06" + bytes(18),
    ],
)
def test_what_is_no_file_of_ours_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "test.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"RangeTest\.load: .* is no range test: ."):
        RangeTest.load(path)


def test_an_earlier_test_without_its_arrays_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "test.json"
    TEST.save(path)
    data = json.loads(path.read_text())
    for name in [name for name in data if name.startswith("earlier_")]:
        cut = {other: each for other, each in data.items() if other != name}
        path.write_text(json.dumps(cut))
        if name == "earlier_probe_losses":  # then there is no probe
            assert RangeTest.load(path).earlier.probe is None  # type: ignore[union-attr]
        else:
            with pytest.raises(ValueError, match=f"is no range test: '{name[8:]}'"):
                RangeTest.load(path)


@pytest.mark.parametrize("depth", [3, 300, 5000])
def test_earlier_tests_within_each_other_that_have_no_arrays(depth: int, tmp_path: Path) -> None:
    path = tmp_path / "test.json"
    facts = '{"lrsched_range_test": 1, "stopped": "finished", "schedule": null, "earlier": '
    path.write_text(facts * depth + "null" + "}" * depth)
    with pytest.raises(ValueError, match=r"RangeTest\.load: .* is no range test: .*"):
        RangeTest.load(path)


def test_a_folder_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=str(tmp_path)):
        RangeTest.load(tmp_path)


def test_a_controller_in_place_of_the_schedule(tmp_path: Path) -> None:
    path = tmp_path / "test.json"
    rates = np.geomspace(1e-5, 1.0, 50)
    RangeTest(rates, np.linspace(2.0, 1.0, 50), "finished", lrsched.linear(0, 1, 9)).save(path)
    data = json.loads(path.read_text(encoding="utf-8"))
    data["schedule"] = lrsched.reduce_on_plateau(0.1).to_dict()
    path.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(ValueError, match="the recipe must be a Schedule, got reduce_on_plateau"):
        RangeTest.load(path)
