"""Is the firmware the same, and is it counted right?  The generated C on emulated Cortex-M cores against numpy; counts against hand and QEMU."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from examples import blocks, example

from tinystream.app.planning import plan_file
from tinystream.emit.compiler import WARNINGS, Compiler, compiler
from tinystream.emit.templates import templates
from tinystream.errors import BuildError
from tinystream.firmware import counter, cross, measure, machine
from tinystream.firmware.core import CORES, find_core
from tinystream.firmware.cross import cross_compiler, cross_compilers, flags
from tinystream.firmware.emulated import Emulated
from tinystream.firmware.image import Image, build_image, write_sources
from tinystream.firmware.listing import listing
from tinystream.firmware.machine import Machine
from tinystream.io.recording import read_recording
from tinystream.plan.plan import Plan, Wiring, plan_stage, plan_steps
from tinystream.run.engine import Engine
from tinystream.run.replay import blocks_of
from tinystream.run.verify import Compared, verify
from tinystream.stages.frame import AUDIO, Frame
