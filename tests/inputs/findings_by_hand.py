from bottleneck_lab.records.results.summary import ClaimFinding, VariantFinding


def a_variant(**known):
    """What came out for a variant, of which only this matters."""
    costs = {"params": 1, "madds": 1, "shortcuts": 1, "depthwise": 1}
    seeds = {"n_seeds": 0, "n_planned": 0, "complete": True, "mean": None, "ci_low": None, "ci_high": None}
    paper = {"test_mean": None, "paper_top1": None, "paper_data": None, "measures": {}}
    return VariantFinding(
        **{"name": "x", "dataset": "digits", "levels": {}, **costs, **seeds, **paper, **known}
    )


def a_claim(**known):
    """What came out for a claim, of which only this matters."""
    said = {
        "id": "x",
        "statement": "X.",
        "source": "nowhere",
        "dataset": "digits",
        "contrast": {"a": 1, "b": -1},
    }
    what = {"measure": "accuracy", "label": "accuracy", "share": True, "kind": "difference", "margin": 0.01}
    numbers = ("estimate", "ci_low", "ci_high", "examples_low", "examples_high", "paper", "paper_data")
    nothing = dict.fromkeys(
        (*numbers, "p_value", "p_holm", "detectable", "seeds_for_half_interval", "reason")
    )
    seeds = {"n_seeds": 3, "n_planned": 3, "verdict": "inconclusive"}
    return ClaimFinding(**{**said, **what, **nothing, **seeds, **known})
