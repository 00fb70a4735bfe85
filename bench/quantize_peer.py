"""The peer of quantize.mjs: onnxruntime.quantization.quantize_static on the same model and data.

usage: quantize_peer.py model.onnx data.npz input samples batch out.onnx [MinMax|Percentile|Entropy]
Prints one line of JSON: seconds of the work (imports excluded), processor seconds of the whole
process, and peak memory in bytes.
"""
import json
import logging
import resource
import sys
import time

import numpy as np
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)

logging.disable(logging.WARNING)
model, data, name, samples, batch, out = sys.argv[1:7]
method = sys.argv[7] if len(sys.argv) > 7 else "MinMax"


class Reader(CalibrationDataReader):
    def __init__(self, values, size):
        self.batches = iter(
            [{name: values[i : i + size]} for i in range(0, len(values), size)]
        )

    def get_next(self):
        return next(self.batches, None)


start = time.perf_counter()
values = np.load(data)[name][: int(samples)]
quantize_static(
    model,
    out,
    Reader(values, int(batch)),
    quant_format=QuantFormat.QDQ,
    activation_type=QuantType.QUInt8,
    weight_type=QuantType.QInt8,
    per_channel=True,
    calibrate_method=CalibrationMethod[method],
)
seconds = time.perf_counter() - start
usage = resource.getrusage(resource.RUSAGE_SELF)
print(
    json.dumps(
        {
            "seconds": seconds,
            "cpu": usage.ru_utime + usage.ru_stime,
            "peak": usage.ru_maxrss * 1024,
        }
    )
)
