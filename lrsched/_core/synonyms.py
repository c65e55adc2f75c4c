"""What other libraries call the parameters of schedules."""

from collections.abc import Collection

SYNONYMS = {
    "lr": ("init_value", "peak_value", "value"),
    "learning_rate": ("init_value", "peak_value", "value"),
    "initial_learning_rate": ("init_value",),
    "base_lr": ("init_value",),
    "start_lr": ("init_value",),
    "max_lr": ("peak_value", "init_value"),
    "peak_lr": ("peak_value", "init_value"),
    "min_lr": ("end_value", "low"),
    "eta_min": ("end_value",),
    "end_lr": ("end_value",),
    "final_lr": ("end_value",),
    "alpha": ("end_value",),
    "warmup": ("warmup_steps",),
    "num_warmup_steps": ("warmup_steps",),
    "num_training_steps": ("total_steps", "decay_steps", "steps"),
    "max_steps": ("total_steps", "decay_steps", "steps"),
    "total_iters": ("steps", "decay_steps", "total_steps"),
    "transition_steps": ("steps", "decay_steps"),
    "T_max": ("decay_steps", "steps"),
    "T_0": ("first_steps",),
    "T_mult": ("period_mult",),
    "t_mul": ("period_mult",),
    "m_mul": ("peak_mult",),
    "gamma": ("decay_rate",),
    "decay": ("decay_rate",),
    "factor": ("decay_rate",),
    "milestones": ("boundaries",),
    "step_size_up": ("up_steps",),
    "step_size_down": ("down_steps",),
    "step_size": ("up_steps", "steps"),
    "pct_start": ("up_fraction",),
    "num_cycles": ("cycles",),
    "exponent": ("power",),
    "schedulers": ("schedules",),
}


def parameter_like(name: str, parameters: Collection[str]) -> str | None:
    """The parameter that a name that is none stands for, if it is known or spelt nearly so."""
    for synonym in SYNONYMS.get(name, ()):
        if synonym in parameters:
            return synonym
    import difflib  # on errors only

    close = difflib.get_close_matches(name, parameters, n=1)
    return close[0] if close else None


def did_you_mean(name: str, known: Collection[str]) -> str:
    """The beginning of a refusal of an unknown name: a question, where one of `known` is near."""
    import difflib

    near = difflib.get_close_matches(name[:80], known, n=1)
    return f"did you mean {near[0]!r}? " if near else ""
