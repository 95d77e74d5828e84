"""Two sets of weights, and never the wrong one in the network."""

import copy

import torch

from tests.optimizers import problems

NAME = "schedule-free-adamw"


def trained(steps=6):
    net, (x, y) = problems.conv_net(), problems.images()
    driver = problems.drive(NAME, net)
    problems.walk(driver, x, y, steps, problems.bce)
    return net, driver, x, y


def same(a, b):
    return all(torch.equal(p, q) for p, q in zip(a, b, strict=True))


def test_going_to_and_fro_is_exact_and_twice_is_once():
    net, driver, *_ = trained()
    fast = [p.detach().clone() for p in net.parameters()]
    driver.eval()
    average = [p.detach().clone() for p in net.parameters()]
    assert not same(fast, average)
    driver.eval()
    assert same(net.parameters(), average)
    driver.train()
    driver.train()
    assert same(net.parameters(), fast)
    driver.eval()
    assert same(net.parameters(), average)


def test_before_the_first_step_both_are_the_same():
    net = problems.conv_net()
    driver, before = problems.drive(NAME, net), problems.weights(net)
    driver.eval()
    driver.train()
    assert same(net.state_dict().values(), before.values())


def test_looking_does_not_change_the_training():
    (net, driver, x, y), (other, plain, *_) = trained(), trained()
    driver.eval()
    driver.tensors(), driver.facts()
    driver.train()
    for each in (driver, plain):
        problems.walk(each, x, y, 5, problems.bce)
    assert same(net.state_dict().values(), other.state_dict().values())


def test_a_step_begins_at_the_training_weights_whatever_was_looked_at():
    """The library would descend from the average without a word."""
    (net, driver, x, y), (other, plain, *_) = trained(), trained()
    driver.eval()
    for each in (driver, plain):
        problems.walk(each, x, y, 3, problems.bce)
    assert same(net.state_dict().values(), other.state_dict().values())


def test_a_state_saved_under_eval_goes_on_bit_for_bit(tmp_path):
    net, driver, x, y = trained()
    driver.eval()
    other, tensors, facts = problems.through_files(tmp_path, net, driver)
    resumed = problems.drive(NAME, other)
    resumed.load(tensors, facts)
    assert same(net.parameters(), other.parameters())
    for each in (driver, resumed):
        each.train()
        problems.walk(each, x, y, 5, problems.bce)
        each.eval()
    assert same(net.state_dict().values(), other.state_dict().values())


def test_the_average_is_the_average_of_the_fast_weights():
    """At a steady rate x is the plain mean of z, by hand from the library's own z."""
    net, (x, y) = problems.smooth(torch.float64), problems.points(torch.float64)
    driver, seen = problems.drive(NAME, net, learning_rate=1e-2, weight_decay=0.0), []
    for _ in range(5):
        problems.walk(driver, x, y, 1)
        seen.append([driver.optimizer.state[p]["z"].clone() for p in net.parameters()])
    driver.eval()
    # The k-th step mixes the z that it began with: the first weights, then z after each step but the last.
    start = [p.detach().clone() for p in problems.smooth(torch.float64).parameters()]
    zs = [start, *seen[:-1]]
    for i, p in enumerate(net.parameters()):
        expected = sum(z[i] for z in [*zs[1:], seen[-1]]) / 5
        assert float((p.detach() - expected).abs().max()) < 1e-12


def test_only_batch_norm_asks_for_new_statistics_and_no_schedule_is_wanted():
    assert problems.drive(NAME, problems.conv_net()).recalibrates
    assert not problems.drive(NAME, problems.smooth()).recalibrates
    assert not problems.drive(NAME, problems.smooth()).scheduled
    for name in set(problems.ALL) - {NAME}:
        driver = problems.drive(name, problems.conv_net())
        assert driver.scheduled
        assert not driver.recalibrates


def test_recalibrated_statistics_are_of_the_average():
    """What `recalibrates` asks of the loop, done by hand: it changes buffers and nothing else."""
    net, driver, x, y = trained(20)
    driver.eval()
    average, stale = copy.deepcopy(list(net.parameters())), problems.bce(copy.deepcopy(net).eval()(x), y)
    with torch.no_grad():
        for _ in range(50):
            net(x)
    assert same(net.parameters(), average)
    fresh = problems.bce(copy.deepcopy(net).eval()(x), y)
    assert abs(fresh - problems.bce(copy.deepcopy(net)(x), y)) < abs(
        stale - problems.bce(copy.deepcopy(net)(x), y)
    )
