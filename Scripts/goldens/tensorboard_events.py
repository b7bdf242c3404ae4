"""Writes Tests/ReportsTests/Goldens/tensorboard_events: a few records by TensorBoard's own writer.

The test writes the same values with tinyalign and compares the files byte by byte. Needs tensorboard (tried with 2.21).
"""

import numpy as np
from pathlib import Path
from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.plugins.histogram.summary_v2 import histogram_pb
from tensorboard.plugins.scalar import metadata as scalar_metadata
from tensorboard.plugins.text.summary_v2 import text_pb
from tensorboard.summary.writer.record_writer import RecordWriter
from tensorboard.util import tensor_util

FILE = Path(__file__).parents[2] / "Tests/ReportsTests/Goldens/tensorboard_events"
WALL = 1_790_000_000.25


def scalar(tag, value, description=None):
    metadata = scalar_metadata.create_summary_metadata(display_name=None, description=description)
    metadata.data_class = summary_pb2.DATA_CLASS_SCALAR
    tensor = tensor_util.make_tensor_proto(np.array(value, dtype=np.float32))
    return summary_pb2.Summary.Value(tag=tag, metadata=metadata, tensor=tensor)


def tensor(summary):
    value = summary.value[0]
    value.metadata.data_class = summary_pb2.DATA_CLASS_TENSOR
    return value


def event(step, values, wall=WALL):
    return event_pb2.Event(wall_time=wall, step=step, summary=summary_pb2.Summary(value=values))


def main():
    head = event_pb2.Event(wall_time=WALL, file_version="brain.Event:2")
    head.source_metadata.writer = "tinyalign"
    many = [((7 * index * index + 3) % 101) / 64 - 0.5 for index in range(200)]
    events = [
        head,
        event(1, [scalar("reward/mean", 0.1, "The mean (reward_mean)."), scalar("kl/forward", -2.5e-7)]),
        event(2, [scalar("reward/mean", 1 / 3), scalar("kl/forward", 0)], WALL + 0.125),
        event(300, [tensor(text_pb("samples/stories", "| a |\n| --- |\n| a cat – 猫 🐈 |\n"))]),
        event(70_000, [tensor(histogram_pb("samples/reward", many))]),
        event(2**40, [tensor(histogram_pb("samples/length", [4, 4, 4, 4]))]),
    ]
    with open(FILE, "wb") as file:
        writer = RecordWriter(file)
        for each in events:
            writer.write(each.SerializeToString(deterministic=True))
    print(FILE, FILE.stat().st_size, "bytes")


main()
