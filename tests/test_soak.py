"""Is nothing lost when broker and node are killed at random?  The soak of `make soak`, short."""

from __future__ import annotations

from soak import soak


def test_no_alert_is_lost_while_broker_and_node_are_killed_at_random(tmp_path, capsys):
    result = soak(tmp_path, alerts=1500, seed=3, broker_s=(0.5, 1.5), node_s=(1.0, 2.0))
    with capsys.disabled():
        print(f"\n{result}")
    assert len(result.put) >= 1500 and result.kills["broker"] >= 1
    assert (result.lost, result.confused, result.out_of_order) == ([], 0, 0)
    assert max(result.files) - min(result.files) < 10
