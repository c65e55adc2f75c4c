"""The warmups of public training code, each as its formula in plain Python, at every step."""

import math
from collections.abc import Callable
from typing import Any

import pytest

import lrsched
from lrsched import cosine_decay, linear, polynomial, warmup

Formula = Callable[[int], float]


def llm_c(lr: float, total: int, up: int, low: float) -> tuple[Any, Formula]:
    """Counts from 1; the cosine begins at `up`."""

    def formula(step: int) -> float:
        if step < up:
            return lr * (step + 1) / up
        ratio = min((step - up) / (total - up), 1.0)
        return low + 0.5 * (1 + math.cos(math.pi * ratio)) * (lr - low)

    return warmup(cosine_decay(lr, total - up, low), up, count_from=1), formula


def open_clip(lr: float, total: int, up: int) -> tuple[Any, Formula]:
    def formula(step: int) -> float:
        if step < up:
            return lr * (step + 1) / up
        e, es = min(step, total) - up, total - up
        return 0.5 * (1 + math.cos(math.pi * e / es)) * lr

    return warmup(cosine_decay(lr, total - up), up, count_from=1), formula


def nvidia_conv_nets(lr: float, total: int, up: int) -> tuple[Any, Formula]:
    def formula(epoch: int) -> float:
        if epoch < up:
            return lr * (epoch + 1) / up
        return 0.5 * (1 + math.cos(math.pi * min(epoch - up, total - up) / (total - up))) * lr

    return warmup(cosine_decay(lr, total - up), up, count_from=1), formula


def nanochat(lr: float, total: int, up: int, down: int) -> tuple[Any, Formula]:
    """Counts from 1 on the way up; flat, and a line to 0 over the last steps."""

    def formula(step: int) -> float:
        if step < up:
            return lr * (step + 1) / up
        if step <= total - down:
            return lr
        return lr * max(total - step, 0) / down

    flat = lrsched.cooldown(lrsched.constant(lr), total - down, down)
    return warmup(flat, up, count_from=1, mode="over"), formula


def bert(lr: float, total: int, up: int) -> tuple[Any, Formula]:
    """The decay runs from the beginning; the warmup rises to its first value, and jumps."""

    def formula(step: int) -> float:
        decayed = lr * (1 - min(step, total) / total)
        return lr * step / up if step < up else decayed

    return warmup(linear(lr, 0.0, total), up, mode="over"), formula


def vissl(lr: float, total: int, up: int, start: float) -> tuple[Any, Formula]:
    """Half a cosine on the clock of the run, with a line over its first steps."""

    def formula(step: int) -> float:
        if step < up:
            return start + (lr - start) * step / up
        return 0.5 * lr * (1 + math.cos(math.pi * min(step / total, 1.0)))

    return warmup(cosine_decay(lr, total), up, start, mode="over"), formula


def latent_diffusion(lr: float, total: int, up: int) -> tuple[Any, Formula]:
    """A factor that rises from `f_start` over the first steps, then falls from the run's start."""
    f_start, f_max, f_min = 1e-6, 1.0, 0.1

    def formula(n: int) -> float:
        if n < up:
            return lr * ((f_max - f_start) / up * n + f_start)
        return lr * (f_min + (f_max - f_min) * (total - min(n, total)) / total)

    return lr * warmup(linear(f_max, f_min, total), up, f_start, mode="over"), formula


def detectron2_cosine(lr: float, total: int, up: int, factor: float) -> tuple[Any, Formula]:
    """The line ends at what the cosine, on the clock of the run, has at `up`."""

    def decayed(step: float) -> float:
        return lr * (1 + math.cos(math.pi * min(step / total, 1.0))) / 2

    def formula(step: int) -> float:
        if step >= up:
            return decayed(step)
        start = factor * decayed(0)
        return start * (1 - step / up) + decayed(up) * step / up

    return warmup(cosine_decay(lr, total), up, factor * lr, mode="into"), formula


def slow_fast(lr: float, total: int, up: float, start: float) -> tuple[Any, Formula]:
    def decayed(epoch: float) -> float:
        return lr * (math.cos(math.pi * min(epoch, total) / total) + 1.0) * 0.5

    def formula(epoch: int) -> float:
        if epoch < up:
            return epoch * (decayed(up) - start) / up + start
        return decayed(epoch)

    return warmup(cosine_decay(lr, total), up, start, mode="into"), formula


def electra(lr: float, total: int, up: int) -> tuple[Any, Formula]:
    """The decay times the warmup."""

    def formula(step: int) -> float:
        return lr * (1 - min(step, total) / total) * min(1.0, step / up)

    return warmup(linear(lr, 0.0, total), up, mode="times"), formula


def dime_net(lr: float, rate: float, every: int, up: int) -> tuple[Any, Formula]:
    def formula(step: int) -> float:
        return float(lr * rate ** (step / every) * min(1.0, step / up))

    return warmup(lrsched.exponential_decay(lr, rate, every), up, mode="times"), formula


def axolotl_quadratic(lr: float, total: int, up: int) -> tuple[Any, Formula]:
    def formula(step: int) -> float:
        if step < up:
            return lr * (step / up) ** 2
        progress = (step - up) / max(1, total - up)
        return lr * max(0.0, 0.5 * (1.0 + math.cos(math.pi * min(progress, 1.0))))

    return warmup(cosine_decay(lr, total - up), up, power=2), formula


def yolox(lr: float, total: int, up: int, last: int, low: float) -> tuple[Any, Formula]:
    """Quadratic, and half a cosine until the last epochs, which are flat."""

    def formula(step: int) -> float:
        if step <= up:
            return lr * (step / up) ** 2
        if step >= total - last:
            return low
        ratio = (step - up) / (total - up - last)
        return low + 0.5 * (lr - low) * (1.0 + math.cos(math.pi * ratio))

    return warmup(cosine_decay(lr, total - up - last, low), up, power=2), formula


def darknet(lr: float, total: int, burn_in: int) -> tuple[Any, Formula]:
    """`burn_in` with the power 4, over a polynomial on the clock of the run."""

    def formula(batch: int) -> float:
        if batch < burn_in:
            return lr * (batch / burn_in) ** 4
        return lr * (1 - min(batch, total) / total) ** 4

    recipe = warmup(polynomial(lr, 0.0, total, 4.0), burn_in, power=4, mode="over")
    return recipe, formula


def graphormer(lr: float, total: int, up: int, low: float) -> tuple[Any, Formula]:
    """The count of the scheduler is one ahead, in the warmup and in the decay."""

    def formula(step: int) -> float:
        count = step + 1
        if count <= up:
            return lr * count / up
        return low + (lr - low) * (1 - min((count - up) / (total - up), 1.0))

    return lrsched.advance(warmup(linear(lr, low, total - up), up), 1), formula


def dino(lr: float, low: float, total: int, up: int, start: float) -> tuple[Any, Formula]:
    """`linspace(start, lr, up)`, and half a cosine that begins at the rate again."""
    recipe = warmup(lrsched.delay(cosine_decay(lr, total - up, low), 1), up - 1, start)

    def formula(step: int) -> float:
        if step < up:
            return start + (lr - start) * step / (up - 1)
        return low + 0.5 * (lr - low) * (1 + math.cos(math.pi * min((step - up) / (total - up), 1)))

    return recipe, formula


def pi0(lr: float, low: float, total: int, up: int) -> tuple[Any, Formula]:
    """lerobot's: up from 1 / (W + 1), then half a cosine on the clock of the run."""

    def formula(step: int) -> float:
        if step < up:
            return lr * ((1 / (up + 1) - 1) * (1 - step / up) + 1)
        return low + (lr - low) * 0.5 * (1 + math.cos(math.pi * min(step, total) / total))

    return warmup(cosine_decay(lr, total, low), up, lr / (up + 1), mode="over"), formula


def yolo_v5(lr: float, end: float, epochs: int, size: int, up: int, bias: float) -> Any:
    """A line to the rate of the epoch, from `bias`: 0 but for the parameters that are biases."""
    decay = lrsched.from_epochs(linear(lr, end * lr, epochs), size, stepwise=True)
    recipe = warmup(decay, up, mode="times")

    def formula(step: int) -> float:
        rate = lr * ((1 - min(step // size, epochs) / epochs) * (1 - end) + end)
        return rate if step > up else bias + (rate - bias) * step / up

    return recipe + linear(bias, 0.0, up) if bias else recipe, formula


def swin(lr: float, low: float, total: int, up: int, start: float) -> tuple[Any, Formula]:
    """The scheduler is stepped after the update with the number of that update."""
    recipe = warmup(cosine_decay(lr, total, low), up, start, mode="over")

    def formula(step: int) -> float:
        count = max(step - 1, 0)
        if count < up:
            return start + count * (lr - start) / up
        return low + 0.5 * (lr - low) * (1 + math.cos(math.pi * min(count / total, 1.0)))

    return lrsched.delay(recipe, 1), formula


RECIPES = {
    "llm.c": llm_c(6e-4, 2000, 70, 0.0),
    "llm.c, with a floor": llm_c(3e-4, 900, 256, 3e-5),
    "llm.c, one step": llm_c(1e-3, 50, 1, 1e-4),
    "open_clip": open_clip(5e-4, 1234, 155),
    "open_clip, two steps": open_clip(1e-3, 100, 2),
    "NVIDIA ConvNets": nvidia_conv_nets(0.256, 90, 8),
    "NVIDIA ConvNets, 250 epochs": nvidia_conv_nets(2.048, 250, 16),
    "nanochat": nanochat(0.02, 1000, 37, 400),
    "nanochat, no warmup": nanochat(0.02, 640, 0, 128),
    "BERT": bert(1e-4, 1000, 100),
    "BERT, odd numbers": bert(5e-5, 777, 31),
    "VISSL": vissl(0.3, 900, 45, 0.03),
    "latent diffusion": latent_diffusion(4.5e-5, 1000, 100),
    "detectron2": detectron2_cosine(0.02, 900, 100, 1e-3),
    "detectron2, a long warmup": detectron2_cosine(0.04, 500, 250, 0.1),
    "SlowFast": slow_fast(0.1, 196, 34, 0.01),
    "SlowFast, 2.5 epochs": slow_fast(0.8, 30, 2.5, 0.01),
    "ELECTRA": electra(2e-4, 1000, 100),
    "ELECTRA, odd numbers": electra(5e-4, 1333, 17),
    "DimeNet": dime_net(1e-3, 0.01, 4000, 300),
    "axolotl": axolotl_quadratic(2e-4, 600, 60),
    "axolotl, short": axolotl_quadratic(1e-5, 33, 7),
    "YOLOX": yolox(0.01, 300, 5, 15, 5e-4),
    "darknet": darknet(1e-3, 1000, 100),
    "Graphormer": graphormer(2e-4, 2000, 600, 1e-9),
    "DINO": dino(5e-4, 1e-6, 2000, 250, 0.0),
    "DINO, from a rate": dino(2e-3, 1e-6, 1260, 315, 1e-6),
    "lerobot's pi0": pi0(2.5e-5, 2.5e-6, 2345, 78),
    "YOLOv5": yolo_v5(0.01, 0.01, 30, 60, 180, 0.0),
    "YOLOv5, biases": yolo_v5(0.01, 0.2, 30, 61, 100, 0.1),
    "Swin": swin(1.25e-3, 1.25e-5, 2400, 170, 1.25e-6),
}


@pytest.mark.parametrize("name", RECIPES)
def test_the_recipe_is_its_formula_at_every_step(name: str) -> None:
    recipe, formula = RECIPES[name]
    for step in range(2500):
        assert recipe(step) == pytest.approx(formula(step), rel=1e-9, abs=1e-16), step


def any_of(value: Any) -> Any:
    """The value, of which a type checker knows nothing."""
    return value


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda s: warmup(s, 5, shape="cosine", power=2),
            "power must be 1 unless shape is 'linear'",
        ),
        (lambda s: warmup(s, 5, power=0), "warmup: power must be a number > 0, got 0"),
        (lambda s: warmup(s, 5, count_from=any_of(2)), "warmup: count_from must be 0 or 1, got 2"),
        (
            lambda s: warmup(s, 5, mode=any_of("after")),
            "warmup: mode must be 'before' or 'over' or 'into'",
        ),
        (lambda s: warmup(s, 0.1), "a share of the run is run_fraction"),
    ],
)
def test_bad_input_is_refused(make: Callable[[Any], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(lrsched.constant(0.1))
