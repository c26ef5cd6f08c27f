"""setup.sh, run with other cards than this machine's."""

from pathlib import Path

import pytest
import torch
from namespaces import apart, needs_namespaces

CUDA = torch.version.cuda or ""

pytestmark = [pytest.mark.slow, needs_namespaces]


@pytest.mark.parametrize(("driver", "told"), [(None, "Driver: none"), ("535.183.01", "Driver: 535.183.01")])
def test_setting_up_tells_of_a_card_that_torch_cannot_use(tmp_path: Path, driver: str | None, told: str):
    if torch.cuda.is_available():
        pytest.skip("torch can use this machine's card")
    (tmp_path / "pci" / "0000:00:04.0").mkdir(parents=True)
    (tmp_path / "pci" / "0000:00:04.0" / "vendor").write_text("0x10de\n")
    (tmp_path / "nvidia").mkdir()
    (tmp_path / "nvidia" / "version").write_text(f"{driver}\n")
    shown = f"mount --bind {tmp_path}/pci /sys/bus/pci/devices"
    if driver:
        shown += f"; mount -t tmpfs tmpfs /sys/module; cp -r {tmp_path}/nvidia /sys/module/nvidia"
    done = apart(f"{shown}; cluster/setup.sh")
    assert done.returncode == 0, done.stderr
    assert told in done.stderr
    assert f"built for CUDA {CUDA}" in done.stderr
    assert f"CUDA {CUDA.split('.')[0]} wants driver" in done.stderr


def test_setting_up_says_nothing_where_there_is_no_card(tmp_path: Path):
    done = apart(f"mount --bind {tmp_path} /sys/bus/pci/devices; cluster/setup.sh")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
