"""The cells of a comparison: budgets, names, trunks, what is kept of earlier runs."""


@pytest.mark.parametrize(
    "text, told",
    {
        "": "Unknown budget ''",
        "param=3": "Did you mean 'params'?",
        "params": "positive number",
        "params=": "positive number",
        "params=-1": "positive number",
        "ratio=nan": "positive number",
        "params=3+": "Unknown budget ''",
    }.items(),
)
def test_what_is_no_budget_is_refused(text, told):
    with pytest.raises(InputError) as error:
        cells.parse_budget(text)
    assert told in str(error.value)


def test_several_budgets_hold_at_once():
    assert cells.parse_budget("params=600+macs=5e3") == {"params": 600, "macs": 5000}
    found, plain = plain_of("vgg11")
    setting = Setting(Entry.parse("uniform"), found, plain, SolverConfig())
    nothing = Kept({}, (), None)
    plan = cells.make([setting], ["params=600000+macs=5e6"], (3, 7), nothing, {}, {})
    costs = found.params(np.array(next(iter(plan.asked.values())).widths))
    assert costs <= 600_000
    assert [cell.seed for cell in plan.asked.values()] == [3, 7]
