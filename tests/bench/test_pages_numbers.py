from cxrlab import report
from cxrlab.bench import pages_numbers


def test_the_drawn_sites_are_what_the_pages_get():
    away = pages_numbers.site("a", "run", home=False, n=2000)
    home = pages_numbers.site("h", "run", home=True, n=2000)
    assert len(away.labels) == 14 and away.table["patient_id"].nunique() < 700
    assert set(home.table["split"]) == {"train", "val", "test"}
    assert home.table.groupby("patient_id")["split"].nunique().max() == 1
    cells = pages_numbers._cells(report.condense(away))
    assert len(report.train_test_matrix(cells)) == 72
