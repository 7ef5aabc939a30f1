#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A fleet on this machine: make test-fleet. Arguments choose parts; without them all run."""

import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), ".."))
import tap  # noqa: E402
from fleet.down import check_down  # noqa: E402
from fleet.engines import authority  # noqa: E402
from fleet.state import check_state  # noqa: E402
from fleet.up import check_up  # noqa: E402

PARTS = {"down": check_down, "state": check_state, "up": check_up}

with tempfile.TemporaryDirectory() as folder:
    figures = []
    authority(folder + "/tls", ["machine", "collector", "etcd"])
    for name in sys.argv[1:] or PARTS:
        PARTS[name](f"{folder}/{name}", folder + "/tls", figures)
    for figure in figures:
        print("# " + figure)
tap.plan()
sys.exit(1 if tap.failed() else 0)
