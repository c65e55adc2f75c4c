"""`cosine_decay`: digits near its end, which it does not leave."""

import pytest

import lrsched
from tests import backends
from tests.backends import BACKENDS, jax_x64
from tests.curves import ULPS_8, error_in_float32, values
from tests.optional import needs
from tests.stepping import stepped


@pytest.mark.parametrize(("left", "lost"), [(10, 1.0), (100, 0.2), (1000, 0.002)])
def test_optax_cosine_cancels_in_float32(left: int, lost: float) -> None:
    """`1 + cos` near the end; ours is a square."""
    optax = needs("optax")
    steps = 10**6
    recipe = lrsched.cosine_decay(1.0, steps)
    theirs = optax.cosine_decay_schedule(1.0, steps)
    assert error_in_float32(theirs, recipe, steps - left) >= lost
    assert error_in_float32(recipe, recipe, steps - left) <= ULPS_8


def test_keras_21772_alpha_is_a_ratio() -> None:
    """A floor of 0.01 asked for is 0.001; `end_value` is a value."""
    keras = needs("keras")
    assert float(keras.optimizers.schedules.CosineDecay(0.1, 10, alpha=0.01)(10)) == pytest.approx(
        0.001
    )
    assert lrsched.cosine_decay(0.1, 10, end_value=0.01)(10) == 0.01


def test_keras_cosine_is_float32_under_x64() -> None:
    """`keras.ops.cos` gives float32 for float64 on JAX, unless x64 is on at its import."""
    jnp = needs("jax.numpy")
    keras = needs("keras")
    with jax_x64():
        count = jnp.asarray(5)
        theirs = float(keras.optimizers.schedules.CosineDecay(1.0, 10)(count))
        assert 1e-8 < abs(theirs - 0.5) < 1e-7
        assert float(lrsched.cosine_decay(1.0, 10)(count)) == pytest.approx(0.5, rel=1e-15)


def test_transformers_cosine_rebounds_past_its_end() -> None:
    """A scheduler stepped too often (accelerate#1382) climbs back to the top; a decay stays."""
    hf = needs("transformers.optimization")
    lrs = stepped(lambda o: hf.get_cosine_schedule_with_warmup(o, 2, 10), 19)
    assert [lrs[10], lrs[14], lrs[18]] == pytest.approx([0.0, 0.5, 1.0])
    recipe = lrsched.warmup(lrsched.cosine_decay(1.0, 8), 2)
    assert values(recipe, (10, 14, 18)) == [0.0, 0.0, 0.0]


def test_cosine_annealing_lr_climbs_back() -> None:
    """pytorch#40971: after T_max torch is back at the top in as many steps; a decay stays down."""
    lr_scheduler = needs("torch.optim.lr_scheduler")
    lrs = stepped(lambda o: lr_scheduler.CosineAnnealingLR(o, 10), steps=21)
    assert [lrs[10], lrs[15], lrs[20]] == pytest.approx([0.0, 0.5, 1.0])
    assert [lrsched.cosine_decay(1.0, 10)(count) for count in (10, 15, 20)] == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("backend", backends.params(BACKENDS))
def test_known_points(backend: str) -> None:
    """In float64: some of these digits are closer to a half than float32 can tell."""
    schedule = lrsched.cosine_decay(0.01, 10)
    wanted = (
        "0.00975528 0.00904508 0.00793893 0.00654508 0.00500000 "
        "0.00345492 0.00206107 0.00095492 0.00024472 0.00000000"
    )
    with backends.double_precision(backend):
        found = BACKENDS[backend](schedule, range(1, 11))
    assert " ".join(f"{value:.8f}" for value in found) == wanted
